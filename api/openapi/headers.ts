/**
 * Headers of answers, as OpenAPI describes them.
 *
 * @module
 */
import type { JsonObject } from "./jsonSchemas.ts";

/** A header of an answer. Its value is text unless `type` says otherwise. */
export function header(
  description: string,
  { type = "string", required = false }: { type?: "string" | "integer"; required?: boolean } = {},
): JsonObject {
  return { description, required, schema: { type } };
}

/** Header of each answer. */
export const REQUEST_ID = header("Identifies the request in the log: the client's own, or a new one", {
  required: true,
});

/** Header that each request may have. */
export const REQUEST_ID_PARAMETER: JsonObject = {
  name: "X-Request-Id",
  in: "header",
  required: false,
  description: "Your id for this request, 8 to 64 letters, digits, `-` and `_`; other values are ignored",
  schema: { type: "string" },
};

/** Header of an answer that made something. */
export function location(of: string): Record<string, JsonObject> {
  return { Location: header(`Path of the ${of}`, { required: true }) };
}

/** Header of an answer that waited. */
export const PREFERENCE_APPLIED = {
  "Preference-Applied": header("`wait=N` when the answer waited for the job's end, for N seconds at most"),
};
