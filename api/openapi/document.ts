/**
 * Builds the OpenAPI document from the routes and the schemas that validate their requests.
 *
 * @module
 */
import type { RouteConfig, z } from "@hono/zod-openapi";
import { REQUEST_ID_HEADER, REQUEST_ID_PARAMETER } from "./headers.ts";
import { type ConvertedSchemas, convertSchemas, type JsonObject } from "./jsonSchemas.ts";

type Content = Readonly<Record<string, { readonly schema?: unknown } | undefined>>;

/** The parts of a document that describe the service as a whole. */
export interface DocumentHead {
  readonly info: JsonObject;
  readonly servers: readonly JsonObject[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
}

/** Collects the schemas of requests or of responses, and converts them to JSON Schema together. */
class SchemaCollector {
  readonly #schemas: Record<string, z.ZodType> = {};
  #converted: ConvertedSchemas | undefined;

  constructor(readonly io: "input" | "output") {}

  /** Adds a schema. @returns a function that returns its JSON Schema, to be called after all schemas are added */
  add(schema: z.ZodType): () => JsonObject {
    const key = String(Object.keys(this.#schemas).length);
    this.#schemas[key] = schema;
    return () => this.converted.schemas[key];
  }

  get converted(): ConvertedSchemas {
    return this.#converted ??= convertSchemas(this.#schemas, this.io);
  }
}

const isZod = (schema: unknown): schema is z.ZodType =>
  typeof schema === "object" && schema !== null && "_zod" in schema;

/**
 * Builds the document.
 *
 * @throws {Error} when two schemas of one name differ
 */
export function openApiDocument(head: DocumentHead, routes: readonly RouteConfig[]): JsonObject {
  const inputs = new SchemaCollector("input"), outputs = new SchemaCollector("output");
  const finishers = routes.map((route) => operationOf(route, inputs, outputs));
  const paths: Record<string, JsonObject> = {};
  const shared = new SharedResponses();
  for (const [index, { path, method }] of routes.entries()) {
    const operation = finishers[index]();
    (paths[path] ??= {})[method] = { ...operation, responses: shared.replace(operation.responses) };
  }
  return {
    openapi: "3.1.0",
    info: head.info,
    servers: head.servers,
    // The service has no authentication: a proxy in front of it adds it.
    security: [],
    tags: head.tags,
    paths,
    components: {
      schemas: mergeComponents(inputs.converted.components, outputs.converted.components),
      responses: shared.components,
      parameters: { RequestId: REQUEST_ID_PARAMETER },
      headers: { RequestId: REQUEST_ID_HEADER },
    },
  };
}

/** Collects the problem responses, which many operations share, so that each is described once. */
class SharedResponses {
  readonly components: Record<string, JsonObject> = {};

  /** Adds the header that every response has, and replaces problem responses by references to their component. */
  replace(responses: Readonly<Record<string, JsonObject>>): Record<string, JsonObject> {
    return Object.fromEntries(
      Object.entries(responses).map(([status, response]) => {
        const headers = {
          ...(response.headers as JsonObject | undefined),
          "X-Request-Id": { $ref: "#/components/headers/RequestId" },
        };
        const complete = { ...response, headers };
        const { description = "", content = {} } = response as { description?: string; content?: JsonObject };
        if (!("application/problem+json" in content)) return [status, complete];
        const name = description.replaceAll(/ (.)/g, (_, letter: string) => letter.toUpperCase());
        this.components[name] = complete;
        return [status, { $ref: `#/components/responses/${name}` }];
      }),
    );
  }
}

function mergeComponents(
  a: ConvertedSchemas["components"],
  b: ConvertedSchemas["components"],
): Record<string, JsonObject> {
  for (const name of Object.keys(a)) {
    if (name in b && JSON.stringify(a[name]) !== JSON.stringify(b[name])) {
      throw new Error(`The schema '${name}' differs between requests and responses: give it two names`);
    }
  }
  return Object.fromEntries(Object.entries({ ...a, ...b }).sort(([x], [y]) => x < y ? -1 : 1));
}

interface Operation extends JsonObject {
  readonly responses: Readonly<Record<string, JsonObject>>;
}

function operationOf(route: RouteConfig, inputs: SchemaCollector, outputs: SchemaCollector): () => Operation {
  const { method: _method, path: _path, request, responses, ...rest } = route;
  const parameters = (["params", "query", "headers"] as const).flatMap((part) => {
    const schema = request?.[part];
    return schema === undefined ? [] : [parametersOf(schema as z.ZodType, part, inputs)];
  });
  const body = request?.body &&
    { ...request.body, content: contentOf(request.body.content as Content, inputs) };
  const converted = Object.entries(responses).map(([status, response]) => {
    const { content, ...other } = response as { content?: Content } & JsonObject;
    return [status, other, content && contentOf(content, outputs)] as const;
  });
  return () => {
    const allParameters = [...parameters.flatMap((list) => list()), {
      $ref: "#/components/parameters/RequestId",
    }];
    return {
      ...rest,
      parameters: allParameters,
      ...(body && { requestBody: { ...body, content: body.content() } }),
      responses: Object.fromEntries(
        converted.map(([status, other, content]) => [
          status,
          content ? { ...other, content: content() } : other,
        ]),
      ),
    };
  };
}

function contentOf(content: Content, collector: SchemaCollector): () => JsonObject {
  const entries = Object.entries(content).map(([type, media]) => {
    const schema = media?.schema;
    return [type, media, isZod(schema) ? collector.add(schema) : () => schema as JsonObject] as const;
  });
  return () =>
    Object.fromEntries(entries.map(([type, media, schema]) => [type, { ...media, schema: schema() }]));
}

const LOCATIONS = { params: "path", query: "query", headers: "header" } as const;

function parametersOf(
  schema: z.ZodType,
  part: keyof typeof LOCATIONS,
  inputs: SchemaCollector,
): () => JsonObject[] {
  const json = inputs.add(schema);
  return () => {
    const { properties = {}, required = [] } = json() as {
      properties?: Record<string, JsonObject>;
      required?: string[];
    };
    return Object.entries(properties).map(([name, { description, ...property }]) => ({
      name,
      in: LOCATIONS[part],
      required: required.includes(name),
      ...(description !== undefined && { description }),
      schema: property,
    }));
  };
}
