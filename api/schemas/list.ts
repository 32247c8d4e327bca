/**
 * Lists: `{object: "list", data, has_more, next}`.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";

/** Creates the schema of a page. */
export function listSchema<S extends z.ZodType>(row: S, name: string) {
  return z.strictObject({
    object: z.literal("list"),
    data: z.array(row),
    has_more: z.boolean(),
    next: z.string().nullable().describe("Value of `after` for the next page; null on the last"),
  }).openapi(name);
}

/** Returns a page in JSON. @param next the last id of the page; null when it is the last page */
export function listOf<T>(data: T[], next: string | null) {
  return { object: "list" as const, data, has_more: next !== null, next };
}
