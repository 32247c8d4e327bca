/**
 * `GET /openapi.json`: returns the OpenAPI document.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiEnv } from "../http/context.ts";
import { jsonContent } from "../openapi/content.ts";
import { type DocumentHead, openApiDocument } from "../openapi/document.ts";
import type { JsonObject } from "../openapi/jsonSchemas.ts";
import { addRoute, documentedRoutes } from "../http/route.ts";

const HEAD: DocumentHead = {
  info: {
    title: "Unmask",
    version: "0.1.0",
    description: "Pre-trains and fine-tunes masked autoencoders. Errors are RFC 9457 problem details.",
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/", description: "The service that serves this document" }],
  tags: [
    { name: "Jobs", description: "Create, follow, cancel and delete training and evaluation jobs." },
    { name: "Checkpoints", description: "List, inspect and download trained models." },
    { name: "Datasets", description: "Upload, inspect and delete data sets; some are built in." },
    { name: "Models", description: "Reconstruct, classify and embed images with a checkpoint." },
    { name: "Service", description: "Health, metrics, and this document." },
  ],
};

/** Adds the route. Must be called after the routes that the document describes. */
export function addOpenApiRoute(app: OpenAPIHono<ApiEnv>): void {
  let document: JsonObject | undefined;
  addRoute(app, {
    method: "get",
    path: "/openapi.json",
    operationId: "getOpenApiDocument",
    tags: ["Service"],
    summary: "Get this OpenAPI document",
    responses: {
      200: {
        description: "OpenAPI 3.1",
        content: jsonContent(z.record(z.string(), z.unknown())),
      },
    },
  }, (context) => context.json(document ??= openApiDocument(HEAD, documentedRoutes(app))));
}
