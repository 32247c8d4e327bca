/**
 * `POST /v1/embeddings`: encodes images as feature vectors.
 *
 * @module
 */
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiEnv } from "../http/context.ts";
import { fieldProblem } from "../http/problem.ts";
import { jsonContent } from "../openapi/content.ts";
import { embeddingFormSchema, embeddingRequestSchema, embeddingSchema } from "../schemas/inference.ts";
import type { Services } from "../services.ts";
import { addInferenceRoute } from "./inferenceRoute.ts";

/** Adds the route. */
export function addEmbeddingRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addInferenceRoute(app, services, {
    path: "/v1/embeddings",
    operationId: "createEmbedding",
    summary: "Compute encoder features of images",
    requestSchema: embeddingRequestSchema,
    formSchema: embeddingFormSchema,
    response: {
      description: "A vector for each image",
      content: jsonContent(embeddingSchema),
    },
    async handle({ request, checkpoint, images, preprocessing, signal }, context) {
      const { config } = checkpoint, { pool = config.pool } = request, dimensions = config.embedDim;
      if (pool === "cls" && !config.clsToken) {
        throw fieldProblem(422, "pool", "must be mean: this model has no class token (cls_token is false)");
      }
      const features = await services.inference.embed(checkpoint, images, pool, signal);
      const body: z.output<typeof embeddingSchema> = {
        object: "list",
        checkpoint: checkpoint.id,
        dimensions,
        pool,
        ...preprocessing,
        data: Array.from({ length: images.count }, (_, index) => ({
          index,
          embedding: Array.from(features.subarray(index * dimensions, (index + 1) * dimensions)),
        })),
      };
      return context.json(body);
    },
  });
}
