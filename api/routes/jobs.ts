/**
 * `/v1/jobs`: create, list, look at, cancel, delete.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Job } from "../../jobs/job.ts";
import { jobRequestSchema } from "../../jobs/kinds/mod.ts";
import { fromWire } from "../../data/wire.ts";
import type { JobRequest } from "../../jobs/requests/commonFields.ts";
import { readJson } from "../body/json.ts";
import { checkCursor } from "../http/cursor.ts";
import type { ApiEnv, Services } from "../http/context.ts";
import { fingerprint, IDEMPOTENCY_KEY, idempotencyKey, preferredWait } from "../http/idempotency.ts";
import { checked } from "../http/validation.ts";
import { resolveJobRequest } from "../requests/job.ts";
import { header, location, PREFERENCE_APPLIED } from "../openapi/headers.ts";
import { linksTo } from "../openapi/links.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { jobParams, wholeNumber } from "../schemas/ids.ts";
import { jobListQuery, jobListSchema, jobSchema, jobWire } from "../schemas/job.ts";
import { listOf } from "../schemas/list.ts";
import { problems } from "../schemas/problem.ts";
import { finishedWithin } from "../http/wait.ts";

/** @throws {ProblemError} 404 */
export async function jobOr404(services: Services, id: string): Promise<Job> {
  const job = await services.jobs.get(id);
  if (job === null) throw new ProblemError(404, `There is no job '${id}'`);
  return job;
}

const tags = ["Jobs"];
const json = (schema: z.ZodType) => ({ "application/json": { schema } });
const preferHeader = z.object({
  Prefer: z.string().optional().openapi({
    description: "`wait=N` waits up to N seconds for the job to finish",
  }),
});

async function waited(
  context: Context<ApiEnv>,
  services: Services,
  job: Job,
  seconds: number | undefined,
): Promise<Job> {
  if (seconds === undefined) return job;
  context.header("preference-applied", `wait=${seconds}`);
  return await finishedWithin(services, job, seconds, context.req.raw.signal);
}

/** Operations on one job. */
const OF_JOB = [
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
      body: { required: true, content: json(requestSchema) },
    },
    responses: {
      201: {
        description: "Created, waiting for a runner",
        headers: {
          ...location("job"),
          ...PREFERENCE_APPLIED,
          "Idempotency-Replayed": header("`true` when an earlier request with this key created the job"),
        },
        content: json(jobSchema),
        links: linksTo(...OF_JOB),
      },
      ...problems(409),
    },
  }, async (context) => {
    const key = idempotencyKey(context.req.header("idempotency-key"));
    const wait = preferredWait(context.req.header("prefer"), limits.waitSeconds);
    const parsed = checked(requestSchema, await readJson(context.req.raw, limits));
    const asked = fromWire(parsed) as unknown as JobRequest;
    const print = key === undefined ? undefined : await fingerprint(asked);
    // A request that has its job already is not resolved again: what it started from may be gone by now.
    const earlier = key === undefined ? null : await jobs.findCreated(key, print!);
    const { job, created } = earlier !== null
      ? { job: earlier, created: false }
      : await jobs.create(await resolveJobRequest(services, asked), {
        idempotencyKey: key,
        fingerprint: print,
      });
    if (!created) context.header("idempotency-replayed", "true");
    context.header("location", `/v1/jobs/${job.id}`);
    return context.json(jobWire(await waited(context, services, job, wait)), 201);
  });

  addRoute(app, {
    method: "get",
    path: "/v1/jobs",
    operationId: "listJobs",
    tags,
    summary: "List jobs, newest first",
    request: { query: jobListQuery },
    responses: { 200: { description: "A page", content: json(jobListSchema) } },
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
    summary: "Look at a job, or wait for its end",
    request: {
      params: jobParams,
      query: z.strictObject({
        wait: wholeNumber(0, limits.waitSeconds).optional().openapi({
          description: "Seconds to wait for the job's end; it is answered as it is when they are over",
        }),
      }),
      headers: preferHeader,
    },
    responses: {
      200: { description: "The job", headers: PREFERENCE_APPLIED, content: json(jobSchema) },
    },
  }, async (context, { params, query }) => {
    const wait = query.wait ?? preferredWait(context.req.header("prefer"), limits.waitSeconds);
    const job = await jobOr404(services, params.id);
    return context.json(jobWire(await waited(context, services, job, wait)));
  });

  addRoute(app, {
    method: "post",
    path: "/v1/jobs/{id}/cancel",
    operationId: "cancelJob",
    tags,
    summary: "Cancel a job",
    description:
      "A queued job is cancelled at once; a running one stops within two seconds and keeps its checkpoints.",
    request: { params: jobParams },
    responses: { 200: { description: "The job", content: json(jobSchema) }, ...problems(409) },
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
