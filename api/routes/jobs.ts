/**
 * `/v1/jobs`: create, list, inspect, cancel, delete.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Job } from "../../jobs/job.ts";
import { jobRequestSchema } from "../../jobs/kinds/mod.ts";
import type { ApiEnv } from "../http/context.ts";
import { checkCursor } from "../http/cursor.ts";
import { IDEMPOTENCY_KEY, parseIdempotencyKey, requestHash } from "../http/idempotency.ts";
import { parsePreferWait, waitUntilFinished } from "../http/preferWait.ts";
import { problems } from "../http/problemResponses.ts";
import { addRoute } from "../http/route.ts";
import { jsonContent } from "../openapi/content.ts";
import { header, location, PREFERENCE_APPLIED } from "../openapi/headers.ts";
import { linksTo } from "../openapi/links.ts";
import { readJobRequest, resolveJobRequest } from "../requests/jobRequest.ts";
import { requireJob } from "../requests/lookup.ts";
import { jobParams, wholeNumber } from "../schemas/ids.ts";
import { jobListQuery, jobListSchema, jobSchema, jobWire } from "../schemas/job.ts";
import { listOf } from "../schemas/list.ts";
import type { Services } from "../services.ts";

const tags = ["Jobs"];
const preferHeader = z.object({
  Prefer: z.string().optional().openapi({
    description: "`wait=N` waits up to N seconds for the job to finish",
  }),
});

/** Waits for the job if the client prefers it. */
async function afterWait(
  context: Context<ApiEnv>,
  services: Services,
  job: Job,
  seconds: number | undefined,
): Promise<Job> {
  if (seconds === undefined) return job;
  context.header("preference-applied", `wait=${seconds}`);
  return await waitUntilFinished(services, job, seconds, context.req.raw.signal);
}

/** Operations with the id of a job in their path. */
const JOB_OPERATIONS = [
  "getJob",
  "cancelJob",
  "deleteJob",
  "listJobEvents",
  "getJobMetrics",
  "listJobCheckpoints",
  "getJobConfusion",
];

/** Adds the routes. */
export function addJobRoutes(app: OpenAPIHono<ApiEnv>, services: Services): void {
  const { jobs, limits } = services;
  const requestSchema = jobRequestSchema(limits.trainingBytes);

  addRoute(app, {
    method: "post",
    path: "/v1/jobs",
    operationId: "createJob",
    tags,
    summary: "Create a job",
    request: {
      headers: preferHeader.extend({
        "Idempotency-Key": z.string().optional().openapi({
          pattern: IDEMPOTENCY_KEY.source,
          description: "A request repeated with the same key and body within 24 hours returns the same job",
        }),
      }),
      body: { required: true, content: jsonContent(requestSchema) },
    },
    responses: {
      201: {
        description: "Created, waiting for a runner",
        headers: {
          ...location("job"),
          ...PREFERENCE_APPLIED,
          "Idempotency-Replayed": header("`true` when an earlier request with this key created the job"),
        },
        content: jsonContent(jobSchema),
        links: linksTo(...JOB_OPERATIONS),
      },
      ...problems(409),
    },
  }, async (context) => {
    const key = parseIdempotencyKey(context.req.header("idempotency-key"));
    const wait = parsePreferWait(context.req.header("prefer"), limits.waitSeconds);
    const request = await readJobRequest(context.req.raw, requestSchema, limits);
    const hash = key === undefined ? undefined : await requestHash(request);
    // A repeated request is not resolved again, because its source may have been deleted since.
    const existing = key === undefined ? null : await jobs.findCreated(key, hash!);
    const { job, created } = existing !== null
      ? { job: existing, created: false }
      : await jobs.create(await resolveJobRequest(services, request), {
        idempotencyKey: key,
        fingerprint: hash,
      });
    if (!created) context.header("idempotency-replayed", "true");
    context.header("location", `/v1/jobs/${job.id}`);
    return context.json(jobWire(await afterWait(context, services, job, wait)), 201);
  });

  addRoute(app, {
    method: "get",
    path: "/v1/jobs",
    operationId: "listJobs",
    tags,
    summary: "List jobs, newest first",
    request: { query: jobListQuery },
    responses: { 200: { description: "A page", content: jsonContent(jobListSchema) } },
  }, async (context, { query }) => {
    const page = await jobs.list(query);
    const exists = async (id: string) => await jobs.get(id) !== null;
    await checkCursor(query.after, page.data.length === 0, exists, services.now());
    return context.json(listOf(page.data.map(jobWire), page.next));
  });

  addRoute(app, {
    method: "get",
    path: "/v1/jobs/{id}",
    operationId: "getJob",
    tags,
    summary: "Inspect a job, or wait until it is finished",
    request: {
      params: jobParams,
      query: z.strictObject({
        wait: wholeNumber(0, limits.waitSeconds).optional().openapi({
          description:
            "Seconds to wait for the job to finish. The response has its state at the end of the wait",
        }),
      }),
      headers: preferHeader,
    },
    responses: {
      200: { description: "The job", headers: PREFERENCE_APPLIED, content: jsonContent(jobSchema) },
    },
  }, async (context, { params, query }) => {
    const wait = query.wait ?? parsePreferWait(context.req.header("prefer"), limits.waitSeconds);
    const job = await requireJob(services, params.id);
    return context.json(jobWire(await afterWait(context, services, job, wait)));
  });

  addRoute(app, {
    method: "post",
    path: "/v1/jobs/{id}/cancel",
    operationId: "cancelJob",
    tags,
    summary: "Cancel a job",
    description:
      "A queued job is cancelled immediately. A running job stops within two seconds and keeps its checkpoints.",
    request: { params: jobParams },
    responses: { 200: { description: "The job", content: jsonContent(jobSchema) }, ...problems(409) },
  }, async (context, { params }) => context.json(jobWire(await jobs.cancel(params.id))));

  addRoute(app, {
    method: "delete",
    path: "/v1/jobs/{id}",
    operationId: "deleteJob",
    tags,
    summary: "Delete a finished or queued job, its events, series, checkpoints and results",
    request: { params: jobParams },
    responses: { 204: { description: "Deleted" }, ...problems(409) },
  }, async (context, { params }) => {
    await jobs.delete(params.id, services.objects);
    return context.body(null, 204);
  });
}
