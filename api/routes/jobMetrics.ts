/**
 * `GET /v1/jobs/{id}/metrics`: returns the loss series.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { toWire } from "../../data/wire.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { jsonContent } from "../openapi/content.ts";
import { addRoute } from "../http/route.ts";
import { seriesSchema } from "../schemas/event.ts";
import { jobParams, wholeNumber } from "../schemas/ids.ts";
import { requireJob } from "../requests/lookup.ts";

/** Adds the route. */
export function addJobMetricsRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "get",
    path: "/v1/jobs/{id}/metrics",
    operationId: "getJobMetrics",
    tags: ["Jobs"],
    summary: "Get a job's loss series: every step, and the mean of each epoch",
    description:
      "A page has the steps above `after` and the epochs that ended in them. `limit` and `every` apply to epochs " +
      "too: of several epochs that ended within the same `every` steps, only the last is shown. If `next` is not " +
      "null, there is another page: send `next` as `after`.",
    request: {
      params: jobParams,
      query: z.strictObject({
        after: wholeNumber(0, Number.MAX_SAFE_INTEGER - 1).prefault("0").openapi({
          description: "Step after which the page begins",
        }),
        limit: wholeNumber(1, 10_000).prefault("10000").openapi({
          description: "Maximum number of steps, and of epochs, in a page",
        }),
        every: wholeNumber(1, 1_000_000).prefault("1").openapi({
          description: "Returns only steps that are a multiple of it, and the newest step",
        }),
      }),
    },
    responses: {
      200: { description: "The series", content: jsonContent(seriesSchema) },
    },
  }, async (context, { params, query }) => {
    await requireJob(services, params.id);
    const series = await services.jobs.metrics(params.id, query);
    return context.json(toWire({ object: "metrics", job: params.id, every: query.every, ...series }));
  });
}
