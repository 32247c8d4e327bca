/**
 * `GET|HEAD /v1/jobs/{id}/results/confusion.json`: streams a classifier's confusion matrix.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { resultKey } from "../../jobs/artifacts/objectKeys.ts";
import { CONFUSION } from "../../jobs/artifacts/confusion.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { jsonContent } from "../openapi/content.ts";
import { header } from "../openapi/headers.ts";
import { ProblemError } from "../http/problem.ts";
import { matchesEtag } from "../http/ranges.ts";
import { addRoute } from "../http/route.ts";
import { confusionSchema } from "../schemas/confusion.ts";
import { jobParams } from "../schemas/ids.ts";
import { requireJob } from "../requests/lookup.ts";

const VERSION_HEADERS = { "ETag": header("The content's version", { required: true }) };

/** Adds the route. */
export function addJobResultRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "get",
    path: `/v1/jobs/{id}/results/${CONFUSION}`,
    operationId: "getJobConfusion",
    tags: ["Jobs"],
    summary: "Get the confusion matrix of an evaluated classifier",
    description:
      "The matrix is stored for every `evaluate` of a classifier, and for the held-out images of `finetune` and " +
      "`linear_probe`. The job's result has this address in `confusion_url`. `If-None-Match` is supported.",
    request: {
      params: jobParams,
      headers: z.object({
        "If-None-Match": z.string().optional().describe(
          "ETags that the client has: 304 when the content has one of them",
        ),
      }),
    },
    responses: {
      200: {
        description: "The counts",
        headers: VERSION_HEADERS,
        content: jsonContent(confusionSchema),
      },
      304: { description: "The client already has the content", headers: VERSION_HEADERS },
    },
  }, async (context, { params }) => {
    const job = await requireJob(services, params.id);
    const info = job.status === "succeeded"
      ? await services.objects.head(resultKey(job.id, CONFUSION))
      : null;
    if (info === null) {
      throw new ProblemError(
        404,
        job.status === "succeeded"
          ? "This job has no confusion matrix: only jobs that evaluate a classifier have one"
          : `This job has no confusion matrix: it is ${job.status}`,
      );
    }
    const headers = {
      etag: `"${info.etag}"`,
      "cache-control": "private, no-cache",
      "content-type": "application/json",
      "content-length": String(info.size),
    };
    if (matchesEtag(context.req.header("if-none-match"), headers.etag)) {
      return context.body(null, 304, { etag: headers.etag, "cache-control": headers["cache-control"] });
    }
    if (context.req.method === "HEAD") return context.body(null, 200, headers);
    const { body } = await services.objects.get(info.key, { signal: context.req.raw.signal });
    return context.body(body, 200, headers);
  });
}
