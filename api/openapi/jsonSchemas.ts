/**
 * Converts zod schemas to JSON Schema (draft 2020-12), which OpenAPI 3.1 uses. Zod does the conversion, so the document
 * states the rules that requests are validated with.
 *
 * @module
 */
import { zodToOpenAPIRegistry } from "@asteasolutions/zod-to-openapi";
import { z } from "@hono/zod-openapi";

/** A JSON object: a schema, or a part of a document. */
export type JsonObject = Record<string, unknown>;

/** Schemas of requests or of responses, converted together. */
export interface ConvertedSchemas {
  /** JSON Schema by the key of the zod schema. */
  readonly schemas: Readonly<Record<string, JsonObject>>;
  /** JSON Schema of the named schemas that are referenced. */
  readonly components: Readonly<Record<string, JsonObject>>;
}

const PREFIX = "#/$defs/", COMPONENTS = "#/components/schemas/";

interface Metadata {
  readonly name?: string;
  readonly fields: JsonObject;
}

/** Returns the metadata that `.openapi()` and `.describe()` attached to this schema. */
function metadataOf(schema: z.core.$ZodType): Metadata {
  const { _internal, param: _param, ...fields } = (zodToOpenAPIRegistry.get(schema as never) ?? {}) as
    & { _internal?: { refId?: string }; param?: unknown }
    & JsonObject;
  const { description } = z.globalRegistry.get(schema) ?? {};
  return { name: _internal?.refId, fields: description === undefined ? fields : { description, ...fields } };
}

/** Returns the schema inside a wrapper such as `optional()`, `default()` or `nullable()`; undefined for other schemas. */
function innerOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  return (schema._zod.def as { innerType?: z.core.$ZodType }).innerType;
}

/** Returns the metadata of a wrapper, without the fields that `.openapi()` copied from the inner schema. */
function metadataWithoutInner(schema: z.core.$ZodType): Metadata {
  const metadata = metadataOf(schema);
  const inner = innerOf(schema);
  if (inner === undefined) return metadata;
  const { fields } = metadataOf(inner);
  const differing = Object.entries(metadata.fields)
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(fields[key]));
  return { fields: Object.fromEntries(differing) };
}

/** Returns the discriminator of a union, with the named schema of each of its values. */
function discriminatorOf(schema: z.core.$ZodType): JsonObject | undefined {
  const { discriminator, options } = schema._zod.def as {
    discriminator?: string;
    options?: z.core.$ZodObject[];
  };
  if (discriminator === undefined || options === undefined) return undefined;
  const mapping = options.flatMap((option) => {
    const { name } = metadataOf(option);
    const values = [...option._zod.propValues?.[discriminator] ?? []];
    return name === undefined ? [] : values.map((value) => [value, `${COMPONENTS}${name}`]);
  });
  return { discriminator: { propertyName: discriminator, mapping: Object.fromEntries(mapping) } };
}

/** Removes keywords that are redundant or that some client generators cannot read. */
function tidy(json: JsonObject, io: "input" | "output"): void {
  if (io === "output" && json.type === "integer") {
    if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
    if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
  }
  if (json.format === "date-time") delete json.pattern;
  // minItems and maxItems state a tuple's length too. Python's generator does not accept a boolean schema.
  if (json.items === false) delete json.items;
  if (JSON.stringify(json.propertyNames) === '{"type":"string"}') delete json.propertyNames;
  // The default of a query parameter is text in the zod schema.
  if (json.type === "integer" && typeof json.default === "string") json.default = Number(json.default);
  if (json.type === "boolean" && typeof json.default === "string") json.default = json.default === "true";
}

/**
 * Converts schemas.
 *
 * @param io `input` for requests, before defaults are filled in; `output` for responses
 * @throws {Error} for a schema that JSON Schema cannot state and that `.openapi({type})` does not describe
 */
export function convertSchemas(
  schemas: Readonly<Record<string, z.ZodType>>,
  io: "input" | "output",
): ConvertedSchemas {
  const metadata = {
    get(schema: z.core.$ZodType) {
      const { name } = metadataWithoutInner(schema);
      return name === undefined ? undefined : { id: name };
    },
  };
  const { properties, $defs } = z.toJSONSchema(z.object(schemas), {
    io,
    metadata: metadata as never,
    override({ zodSchema, jsonSchema }) {
      const json = jsonSchema as JsonObject;
      const { fields } = metadataWithoutInner(zodSchema);
      // A stated type replaces the derived schema: a number in a query is text to zod.
      if ("type" in fields && json.$ref === undefined) {
        for (const key of Object.keys(json)) if (key !== "id" && key !== "default") delete json[key];
      }
      Object.assign(json, fields, discriminatorOf(zodSchema));
      tidy(json, io);
    },
  });
  return JSON.parse(
    JSON.stringify({ schemas: properties ?? {}, components: $defs ?? {} }).replaceAll(
      `"$ref":"${PREFIX}`,
      `"$ref":"${COMPONENTS}`,
    ),
  );
}
