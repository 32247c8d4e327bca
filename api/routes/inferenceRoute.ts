/**
 * Adds a route that applies a model to images: its documentation, reading of the request, and check of the model.
 *
 * @module
 */
import type { OpenAPIHono, RouteConfig, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Checkpoint } from "../../jobs/job.ts";
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
  readonly model?: Checkpoint["model"];
  /** Schema of the request as JSON. It also validates the fields of a form. */
  readonly requestSchema: S;
  /** Schema of the request as a form, for OpenAPI. */
  readonly formSchema: z.ZodType;
  /** The 200 response, for OpenAPI. */
  readonly response: RouteConfig["responses"][string];
  /** Computes the response. */
  readonly handle: (input: InferenceInput<S>, context: Context<ApiEnv>) => Promise<Response>;
}

const MODEL_RULES: Readonly<Record<Checkpoint["model"], string>> = {
  mae: "must be a masked autoencoder: this one is a classifier",
  classifier: "must be a classifier: this one is a masked autoencoder, fine-tune it first",
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
        throw fieldProblem(422, checkpointField(input.request), MODEL_RULES[model]);
      }
      return route.handle(input, context);
    }));
}
