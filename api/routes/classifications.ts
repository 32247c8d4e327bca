/**
 * `POST /v1/classifications`: what a fine-tuned model sees in images.
 *
 * @module
 */
import type { OpenAPIHono, z } from "@hono/zod-openapi";
import { classNamesOf } from "../../jobs/artifacts/classNames.ts";
import type { ApiEnv, Services } from "../http/context.ts";
import { withSubject } from "../requests/inference.ts";
import { fieldProblem } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { classificationSchema, inferenceFormSchema, inferenceSchema } from "../schemas/inference.ts";
import { problems } from "../schemas/problem.ts";

/** Adds the route. */
export function addClassificationRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "post",
    path: "/v1/classifications",
    operationId: "createClassification",
    tags: ["Models"],
    summary: "Classify images",
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
        description: "A class for each image",
        content: { "application/json": { schema: classificationSchema } },
      },
      ...problems(409, 504),
    },
  }, (context) =>
    withSubject(services, context.req.raw, inferenceSchema, async (subject) => {
      const { input, checkpoint, pictures, treatment, signal } = subject;
      if (checkpoint.model !== "classifier") {
        const field = input.job === undefined ? "checkpoint" : "job";
        throw fieldProblem(
          422,
          field,
          "must be a classifier: this one is a masked autoencoder, fine-tune it first",
        );
      }
      const all = await services.inference.classify(checkpoint, pictures, signal);
      const classNames = await classNamesOf(services.objects, checkpoint);
      const classes = classNames.length;
      const answer: z.output<typeof classificationSchema> = {
        object: "list",
        checkpoint: checkpoint.id,
        class_names: [...classNames],
        ...treatment,
        data: Array.from({ length: pictures.count }, (_, index) => {
          const probabilities = Array.from(all.subarray(index * classes, (index + 1) * classes));
          const probability = Math.max(...probabilities);
          const label = probabilities.indexOf(probability);
          return { index, label, class_name: classNames[label], probability, probabilities };
        }),
      };
      return context.json(answer);
    }));
}
