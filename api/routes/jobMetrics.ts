/**
 * `GET /v1/jobs/{id}/metrics`: the loss series.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { toWire } from "../../data/wire.ts";
import type { ApiEnv, Services } from "../environment.ts";
import { addRoute } from "../register.ts";
import { seriesSchema } from "../schemas/event.ts";
import { jobParams, wholeNumber } from "../schemas/ids.ts";
import { jobOr404 } from "./jobs.ts";

/** Adds the route. */
export function addJobMetricsRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "get",
    path: "/v1/jobs/{id}/metrics",
    operationId: "getJobMetrics",
    tags: ["Jobs"],
    summary: "A job's loss series: every step, and the mean of each epoch",
    description:
      "An answer covers the steps above `after` and holds the epochs that ended in it. `limit` and `every` bound " +
      "the epochs as they do the steps: of several epochs that ended within the same `every` steps the last is " +
      "shown. While `next` is not null there is more: give it as `after`.",
    request: {
      params: jobParams,
      query: z.strictObject({
        after: wholeNumber(0, Number.MAX_SAFE_INTEGER - 1).prefault("0").openapi({
          description: "Step after which to begin",
        }),
        limit: wholeNumber(1, 10_000).prefault("10000").openapi({
          description: "Most steps, and most epochs, of an answer",
        }),
        every: wholeNumber(1, 1_000_000).prefault("1").openapi({
          description: "Show the steps that are a multiple of this, and the newest",
        }),
      }),
    },
    responses: {
      200: { description: "The series", content: { "application/json": { schema: seriesSchema } } },
    },
  }, async (context, { params, query }) => {
    await jobOr404(services, params.id);
    const series = await services.jobs.metrics(params.id, query);
    return context.json(toWire({ object: "metrics", job: params.id, every: query.every, ...series }));
  });
}
