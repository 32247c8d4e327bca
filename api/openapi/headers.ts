/**
 * OpenAPI descriptions of headers.
 *
 * @module
 */
import type { JsonObject } from "./jsonSchemas.ts";

/** Describes a response header. */
export function header(
  description: string,
  { type = "string", required = false }: { type?: "string" | "integer"; required?: boolean } = {},
): JsonObject {
  return { description, required, schema: { type } };
}

/** The `X-Request-Id` header of every response. */
export const REQUEST_ID_HEADER = header("Id of the request in the log: the client's id, or a new one", {
  required: true,
});

/** The optional `X-Request-Id` header of every request. */
export const REQUEST_ID_PARAMETER: JsonObject = {
  name: "X-Request-Id",
  in: "header",
  required: false,
  description:
    "The client's id for this request, 8 to 64 letters, digits, `-` and `_`; other values are ignored",
  schema: { type: "string" },
};

/** The `Location` header of a response that created a resource. */
export function location(resource: string): Record<string, JsonObject> {
  return { Location: header(`Path of the ${resource}`, { required: true }) };
}

/** The `Preference-Applied` header of a response to `Prefer: wait=N`. */
export const PREFERENCE_APPLIED = {
  "Preference-Applied": header("`wait=N` when the response waited up to N seconds for the job to finish"),
};
