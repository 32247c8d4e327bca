/**
 * Adds a route that applies a model to images: its documentation, reading of the request, and check of the model.
 *
 * @module
 */
import type { OpenAPIHono, RouteConfig, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { MODEL_NAMES } from "../../jobs/requests/modelNames.ts";
import type { ApiEnv } from "../http/context.ts";
import { fieldProblem } from "../http/problem.ts";
import { problems } from "../http/problemResponses.ts";
import { addRoute } from "../http/route.ts";
import { checkpointField, type InferenceInput, withInferenceInput } from "../requests/inference.ts";
import type { InferenceRequest } from "../schemas/inference.ts";
import type { Services } from "../services.ts";

/** An inference route. */
export interface InferenceRoute<S extends z.ZodType<InferenceRequest>> {
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** Model that the checkpoint must have; either by default. */
  readonly model?: "mae" | "classifier";
  /** Schema of the request as JSON. It also validates the fields of a form. */
  readonly requestSchema: S;
  /** Schema of the request as a form, for OpenAPI. */
  readonly formSchema: z.ZodType;
  /** The 200 response, for OpenAPI. */
  readonly response: RouteConfig["responses"][string];
  /** Computes the response. */
  readonly handle: (input: InferenceInput<S>, context: Context<ApiEnv>) => Promise<Response>;
}

const MODEL_RULES: Readonly<Record<"mae" | "classifier", string>> = {
  mae: "must be a masked autoencoder with its decoder",
  classifier: "must be a classifier, which a fine-tuning makes",
};

/** Adds an inference route. */
export function addInferenceRoute<S extends z.ZodType<InferenceRequest>>(
  app: OpenAPIHono<ApiEnv>,
  services: Services,
  route: InferenceRoute<S>,
): void {
  const { path, operationId, summary, description, model, requestSchema, formSchema, response } = route;
  addRoute(app, {
    method: "post",
    path,
    operationId,
    tags: ["Models"],
    summary,
    ...(description !== undefined && { description }),
    request: {
      body: {
        required: true,
        content: {
          "application/json": { schema: requestSchema },
          "multipart/form-data": { schema: formSchema },
        },
      },
    },
    responses: { 200: response, ...problems(409, 504) },
  }, (context) =>
    withInferenceInput(services, context.req.raw, requestSchema, (input) => {
      if (model !== undefined && input.checkpoint.model !== model) {
        const message = `${MODEL_RULES[model]}: this one is ${MODEL_NAMES[input.checkpoint.model]}`;
        throw fieldProblem(422, checkpointField(input.request), message);
      }
      return route.handle(input, context);
    }));
}
