/**
 * Response headers as OpenAPI describes them.
 *
 * @module
 */
import type { JsonObject } from "./jsonSchemas.ts";

/** Describes a response header. Its value is text unless `type` is given. */
export function header(
  description: string,
  { type = "string", required = false }: { type?: "string" | "integer"; required?: boolean } = {},
): JsonObject {
  return { description, required, schema: { type } };
}

/** Header of every response. */
export const REQUEST_ID = header("Id of the request in the log: the client's own, or a new one", {
  required: true,
});

/** Header that every request may have. */
export const REQUEST_ID_PARAMETER: JsonObject = {
  name: "X-Request-Id",
  in: "header",
  required: false,
  description: "Your id for this request, 8 to 64 letters, digits, `-` and `_`; other values are ignored",
  schema: { type: "string" },
};

/** Header of a response that created something. */
export function location(of: string): Record<string, JsonObject> {
  return { Location: header(`Path of the ${of}`, { required: true }) };
}

/** Header of a response that waited. */
export const PREFERENCE_APPLIED = {
  "Preference-Applied": header("`wait=N` when the response waited up to N seconds for the job's end"),
};
