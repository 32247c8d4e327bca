/**
 * `POST /v1/embeddings`: encodes images as feature vectors.
 *
 * @module
 */
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiEnv } from "../http/context.ts";
import { jsonContent } from "../openapi/content.ts";
import { embeddingSchema, inferenceFormSchema, inferenceSchema } from "../schemas/inference.ts";
import type { Services } from "../services.ts";
import { addInferenceRoute } from "./inferenceRoute.ts";

/** Adds the route. */
export function addEmbeddingRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addInferenceRoute(app, services, {
    path: "/v1/embeddings",
    operationId: "createEmbedding",
    summary: "Compute mean-pooled encoder features of images",
    requestSchema: inferenceSchema,
    formSchema: inferenceFormSchema,
    response: {
      description: "A vector for each image",
      content: jsonContent(embeddingSchema),
    },
    async handle({ checkpoint, images, preprocessing, signal }, context) {
      const features = await services.inference.embed(checkpoint, images, signal);
      const dimensions = checkpoint.config.embedDim;
      const body: z.output<typeof embeddingSchema> = {
        object: "list",
        checkpoint: checkpoint.id,
        dimensions,
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
