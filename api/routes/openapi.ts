/**
 * `GET /openapi.json`: this API, described by the schemas it checks with.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiEnv } from "../environment.ts";
import { addRoute } from "../register.ts";

/** Adds the route; called after all that are to be described. */
export function addOpenApiRoute(app: OpenAPIHono<ApiEnv>): void {
  addRoute(app, {
    method: "get",
    path: "/openapi.json",
    tags: ["Service"],
    summary: "This description",
    responses: {
      200: {
        description: "OpenAPI 3.1",
        content: { "application/json": { schema: z.record(z.string(), z.unknown()) } },
      },
    },
  }, (context) =>
    context.json(app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: {
        title: "Unmask",
        version: "0.1.0",
        description: "Pre-trains and fine-tunes masked autoencoders. Errors are RFC 9457 problem details.",
      },
      servers: [{ url: "/" }],
    })));
}
