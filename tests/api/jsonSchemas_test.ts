import { expect } from "expect";
import { z } from "@hono/zod-openapi";
import { openApiDocument } from "../../api/openapi/document.ts";
import { convertSchemas } from "../../api/openapi/jsonSchemas.ts";
import { wholeNumber } from "../../api/schemas/ids.ts";
import { exactlyOneOf } from "../../jobs/requests/exactlyOne.ts";

const inputOf = (schema: z.ZodType) => convertSchemas({ it: schema }, "input");

Deno.test("a named schema is still referenced where it is nullable, has a default or another description", () => {
  const named = z.strictObject({ a: z.int().min(0).max(9) }).openapi("Named");
  const $ref = "#/components/schemas/Named";
  const { schemas, components } = inputOf(z.object({
    nullable: named.nullable(),
    defaulted: named.default({ a: 1 }),
    described: named.optional().describe("here"),
  }));
  expect(schemas.it.properties).toMatchObject({
    nullable: { anyOf: [{ $ref }, { type: "null" }] },
    defaulted: { $ref, default: { a: 1 } },
    described: { $ref, description: "here" },
  });
  expect(components).toEqual({
    Named: {
      type: "object",
      properties: { a: { type: "integer", minimum: 0, maximum: 9 } },
      required: ["a"],
      additionalProperties: false,
    },
  });
});

Deno.test("an extended schema has all fields, a tuple has its length, and the keys of a record have their rule", () => {
  const base = z.strictObject({ a: z.string() }).openapi("Base");
  expect(inputOf(base.extend({ b: z.boolean() })).schemas.it).toMatchObject({
    properties: { a: { type: "string" }, b: { type: "boolean" } },
    required: ["a", "b"],
    additionalProperties: false,
  });
  expect(inputOf(z.tuple([z.number(), z.number()])).schemas.it).toMatchObject({ minItems: 2, maxItems: 2 });
  expect(inputOf(z.record(z.string().max(4), z.string())).schemas.it).toMatchObject({
    propertyNames: { maxLength: 4 },
  });
});

Deno.test("a number or boolean in a query is described as one, with its default", () => {
  expect(inputOf(wholeNumber(1, 100).prefault("20")).schemas.it)
    .toEqual({ type: "integer", minimum: 1, maximum: 100, default: 20 });
  const flag = z.enum(["true", "false"]).transform((text) => text === "true").prefault("false");
  expect(inputOf(flag.openapi({ type: "boolean" })).schemas.it).toEqual({ type: "boolean", default: false });
});

Deno.test("a union by kind has a discriminator", () => {
  const member = (kind: string) => z.strictObject({ kind: z.literal(kind) }).openapi(`The${kind}`);
  expect(inputOf(z.discriminatedUnion("kind", [member("A"), member("B")])).schemas.it).toMatchObject({
    oneOf: [{ $ref: "#/components/schemas/TheA" }, { $ref: "#/components/schemas/TheB" }],
    discriminator: {
      propertyName: "kind",
      mapping: { A: "#/components/schemas/TheA", B: "#/components/schemas/TheB" },
    },
  });
});

Deno.test("a value with none or two of a group's fields is rejected, and the document states the rule", () => {
  const schema = exactlyOneOf(z.strictObject({ a: z.int().optional(), b: z.int().optional() }), ["a", "b"]);
  for (const [value, fits] of [[{}, false], [{ a: 1 }, true], [{ b: 1 }, true], [{ a: 1, b: 1 }, false]]) {
    expect([value, schema.safeParse(value).success]).toEqual([value, fits]);
  }
  expect(inputOf(schema).schemas.it.allOf)
    .toMatchObject([{ oneOf: [{ required: ["a"] }, { required: ["b"] }] }]);
});

Deno.test("two different schemas with one name are an error", () => {
  const request = z.strictObject({ a: z.string() }).openapi("Same");
  const response = z.strictObject({ b: z.string() }).openapi("Same");
  const content = (schema: z.ZodType) => ({ "application/json": { schema } });
  const route = {
    method: "post" as const,
    path: "/",
    request: { body: { content: content(request) } },
    responses: { 200: { description: "", content: content(response) } },
  };
  expect(() => openApiDocument({ info: {}, servers: [], tags: [] }, [route])).toThrow("'Same'");
});
