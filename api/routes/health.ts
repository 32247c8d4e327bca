/**
 * `/healthz`, `/readyz` and `/metrics`: probes and Prometheus metrics for operators.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiEnv } from "../http/context.ts";
import { PROBE_KEY } from "../../data/objects/keys.ts";
import type { Services } from "../services.ts";
import { JOB_STATUSES } from "../../jobs/job.ts";
import { outageProblem } from "../http/errors.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { jsonContent } from "../openapi/content.ts";
import { problems } from "../http/problemResponses.ts";
import { withTimeout } from "../http/timeLimit.ts";

const healthSchema = z.strictObject({ status: z.literal("ok") }).openapi("Health");
const tags = ["Service"];

/** Adds the routes. */
export function addHealthRoutes(app: OpenAPIHono<ApiEnv>, services: Services): void {
  const { jobs, objects, metrics, limits } = services;
  const ok = { description: "Healthy", content: jsonContent(healthSchema) };

  addRoute(app, {
    method: "get",
    path: "/healthz",
    operationId: "getHealth",
    tags,
    summary: "Check that the process responds",
    responses: { 200: ok },
  }, (context) => context.json({ status: "ok" as const }));

  addRoute(app, {
    method: "get",
    path: "/readyz",
    operationId: "getReadiness",
    tags,
    summary: "Check that the database and object storage respond",
    responses: { 200: ok, ...problems(503) },
  }, async (context) => {
    const probe = async (name: string, work: Promise<unknown>) => {
      try {
        await withTimeout(limits.readyMs, work);
        return [];
      } catch {
        return [{ path: name, message: "does not respond" }];
      }
    };
    const failures = await Promise.all([
      probe("database", jobs.list({ limit: 1 })),
      probe("object_storage", objects.head(PROBE_KEY)),
    ]);
    const errors = failures.flat();
    if (errors.length === 0) return context.json({ status: "ok" as const });
    const names = errors.map((error) => error.path).join(" and ");
    throw new ProblemError(503, `${names} cannot be reached`, { errors, headers: { "retry-after": "5" } });
  });

  addRoute(app, {
    method: "get",
    path: "/metrics",
    operationId: "getServiceMetrics",
    tags,
    summary: "Get the metrics for Prometheus",
    responses: {
      200: {
        description: "Metrics in the text exposition format of Prometheus",
        content: { "text/plain": { schema: z.string() } },
      },
    },
  }, async (context) => {
    // The counters of the process are reported during an outage too.
    const counts = await withTimeout(limits.readyMs, jobs.counts()).catch((error) => {
      if (!(error instanceof ProblemError) && outageProblem(error) === null) throw error;
      return null;
    });
    metrics.databaseUp.set(counts === null ? 0 : 1);
    metrics.queueDepth.set(counts?.queued ?? NaN);
    for (const status of JOB_STATUSES) metrics.jobs.set({ status }, counts?.[status] ?? NaN);
    return context.body(await metrics.registry.metrics(), 200, {
      "content-type": metrics.registry.contentType,
    });
  });
}
