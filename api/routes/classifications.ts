/**
 * `POST /v1/classifications`: classifies images with a fine-tuned model or a linear probe.
 *
 * @module
 */
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import { classesOf, classNamesOf } from "../../jobs/artifacts/classNames.ts";
import type { ApiEnv } from "../http/context.ts";
import { jsonContent } from "../openapi/content.ts";
import { checkResponseSize, listBytes } from "../requests/responseSize.ts";
import { classificationSchema, inferenceFormSchema, inferenceSchema } from "../schemas/inference.ts";
import type { Services } from "../services.ts";
import { addInferenceRoute } from "./inferenceRoute.ts";

/** Adds the route. */
export function addClassificationRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addInferenceRoute(app, services, {
    path: "/v1/classifications",
    operationId: "createClassification",
    summary: "Classify images",
    model: "classifier",
    requestSchema: inferenceSchema,
    formSchema: inferenceFormSchema,
    response: {
      description: "A class for each image",
      content: jsonContent(classificationSchema),
    },
    async handle({ request, checkpoint, images, preprocessing, signal }, context) {
      checkResponseSize(request, images.count, listBytes(classesOf(checkpoint)), services.limits);
      const allProbabilities = await services.inference.classify(checkpoint, images, signal);
      const classNames = await classNamesOf(services.objects, checkpoint);
      const classes = classNames.length;
      const body: z.output<typeof classificationSchema> = {
        object: "list",
        checkpoint: checkpoint.id,
        class_names: [...classNames],
        ...preprocessing,
        data: Array.from({ length: images.count }, (_, index) => {
          const probabilities = Array.from(allProbabilities.subarray(index * classes, (index + 1) * classes));
          const probability = Math.max(...probabilities);
          const label = probabilities.indexOf(probability);
          return { index, label, class_name: classNames[label], probability, probabilities };
        }),
      };
      return context.json(body);
    },
  });
}
