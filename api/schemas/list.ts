/**
 * Lists: `{object: "list", data, has_more, next}`.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";

/** A page of rows of one schema. */
export function listSchema<S extends z.ZodType>(row: S, name: string) {
  return z.strictObject({
    object: z.literal("list"),
    data: z.array(row),
    has_more: z.boolean(),
    next: z.string().nullable().describe("What `after` must be for the next page; null on the last"),
  }).openapi(name);
}

/** A page as it is answered. @param next cursor of the page's last row; null when it is the last page */
export function listOf<T>(data: T[], next: string | null) {
  return { object: "list" as const, data, has_more: next !== null, next };
}
