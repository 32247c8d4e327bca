/**
 * `POST /v1/embeddings`: images as feature vectors.
 *
 * @module
 */
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiEnv, Services } from "../http/context.ts";
import { withSubject } from "../requests/inference.ts";
import { addRoute } from "../http/route.ts";
import { embeddingSchema, inferenceFormSchema, inferenceSchema } from "../schemas/inference.ts";
import { problems } from "../schemas/problem.ts";

/** Adds the route. */
export function addEmbeddingRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "post",
    path: "/v1/embeddings",
    operationId: "createEmbedding",
    tags: ["Models"],
    summary: "Mean-pooled encoder features of images",
    request: {
      body: {
        required: true,
        content: {
          "application/json": { schema: inferenceSchema },
          "multipart/form-data": { schema: inferenceFormSchema },
        },
      },
    },
    responses: {
      200: {
        description: "A vector for each image",
        content: { "application/json": { schema: embeddingSchema } },
      },
      ...problems(409, 504),
    },
  }, (context) =>
    withSubject(services, context.req.raw, inferenceSchema, async (subject) => {
      const { checkpoint, pictures, treatment, signal } = subject;
      const all = await services.inference.embed(checkpoint, pictures, signal);
      const dimensions = checkpoint.config.embedDim;
      const answer: z.output<typeof embeddingSchema> = {
        object: "list",
        checkpoint: checkpoint.id,
        dimensions,
        ...treatment,
        data: Array.from({ length: pictures.count }, (_, index) => ({
          index,
          embedding: Array.from(all.subarray(index * dimensions, (index + 1) * dimensions)),
        })),
      };
      return context.json(answer);
    }));
}
