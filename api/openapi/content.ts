/**
 * OpenAPI descriptions of bodies.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";

/** Describes a body in JSON. */
export function jsonContent(schema: z.ZodType) {
  return { "application/json": { schema } };
}
