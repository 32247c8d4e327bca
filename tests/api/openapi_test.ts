import { expect } from "expect";
import { TestApi } from "./fixtures.ts";

type Json = Record<string, unknown>;
interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly responses: Readonly<Record<string, Json>>;
}

async function fetched(): Promise<Json> {
  await using api = await TestApi.open();
  return await (await api.send("/openapi.json")).json();
}

function operations(document: Json): Operation[] {
  return Object.values(document.paths as Record<string, Record<string, Operation>>)
    .flatMap((methods) => Object.values(methods));
}

/** Every object of a document with the path to it. */
function* objects(node: unknown, path = "#"): Generator<[path: string, object: Json]> {
  if (typeof node !== "object" || node === null) return;
  if (!Array.isArray(node)) yield [path, node as Json];
  for (const [key, value] of Object.entries(node)) yield* objects(value, `${path}/${key}`);
}

Deno.test("every operation has a name of its own and a tag that the document describes", async () => {
  const document = await fetched();
  const all = operations(document);
  const ids = all.map(({ operationId }) => operationId);
  for (const id of ids) expect(id).toMatch(/^[a-z]+[A-Za-z]+$/);
  expect(new Set(ids).size).toBe(all.length);
  const tags = (document.tags as { name: string; description: string }[]).map(({ name }) => name);
  for (const { tags: used } of all) expect(tags).toContain(used?.[0]);
});

Deno.test("patterns need no flag, and no schema joins two closed ones", async () => {
  const document = await fetched();
  const schemas = (document.components as { schemas: Record<string, Json> }).schemas;
  const found = [...objects(document)];
  const patterns = found.flatMap(([path, { pattern }]) =>
    typeof pattern === "string" ? [{ path, pattern }] : []
  );
  expect(patterns.length).toBeGreaterThan(3);
  for (const { path, pattern } of patterns) {
    // Python's re has no \p{…}; a slash at the end is left of a literal with flags.
    expect({ path, pattern, compiles: new RegExp(pattern) instanceof RegExp }).toMatchObject({
      compiles: true,
    });
    expect({ path, bad: /\\[pP]\{|\/[a-z]*$/.test(pattern) }).toEqual({ path, bad: false });
  }
  const isClosed = (schema: Json): boolean => {
    const { $ref } = schema as { $ref?: string };
    const meant = $ref === undefined ? schema : schemas[$ref.split("/").at(-1)!];
    return meant.additionalProperties === false;
  };
  for (const [path, schema] of found) {
    const parts = [schema, ...((schema.allOf ?? []) as Json[])];
    if (schema.allOf === undefined) continue;
    expect({ path, closed: parts.filter(isClosed).length > 1 }).toEqual({ path, closed: false });
  }
});
