/**
 * The HTTP API, put together from what it is given.
 *
 * @module
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { pages } from "./dashboard/mod.ts";
import type { ApiEnv, AppDeps, Services } from "./http/context.ts";
import { answerError } from "./http/errors.ts";
import { DEFAULT_LIMITS } from "./http/limits.ts";
import { createMetrics } from "./http/metrics.ts";
import { headLength } from "./middleware/headLength.ts";
import { headSize } from "./middleware/headSize.ts";
import { logFailures, observe } from "./middleware/observe.ts";
import { sameSite } from "./middleware/site.ts";
import { ProblemError } from "./http/problem.ts";
import { closeRoutes } from "./http/route.ts";
import { addCheckpointContentRoute } from "./routes/checkpointContent.ts";
import { addCheckpointRoutes } from "./routes/checkpoints.ts";
import { addClassificationRoute } from "./routes/classifications.ts";
import { addDatasetRoutes } from "./routes/datasets.ts";
import { addEmbeddingRoute } from "./routes/embeddings.ts";
import { addEventRoute } from "./routes/events.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addJobMetricsRoute } from "./routes/jobMetrics.ts";
import { addJobResultRoute } from "./routes/jobResults.ts";
import { addJobRoutes } from "./routes/jobs.ts";
import { addOpenApiRoute } from "./routes/openapi.ts";
import { addReconstructionRoute } from "./routes/reconstructions.ts";

export type { AppDeps, HostNames, LogEntry } from "./http/context.ts";

/**
 * Creates the application: `app.fetch` for `listen`, `app.request` for tests. The caller opens and closes what it uses.
 *
 * @example
 * ```ts
 * const app = createApp({ jobs, objects, datasets, inference });
 * await listen(app.fetch, { port: 8000, host: "127.0.0.1" });
 * ```
 */
export function createApp(deps: AppDeps): OpenAPIHono<ApiEnv> {
  const services: Services = {
    ...deps,
    limits: { ...DEFAULT_LIMITS, ...deps.limits },
    now: deps.now ?? Date.now,
    hosts: deps.hosts ?? "any",
    stopping: deps.stopping ?? new AbortController().signal,
    log: deps.log ?? logFailures,
    metrics: createMetrics(),
  };
  const app = new OpenAPIHono<ApiEnv>();
  app.onError((error, context) => answerError(error, context));
  app.notFound((context) =>
    answerError(new ProblemError(404, "There is nothing under this address"), context)
  );
  app.use(observe(services));
  app.use(headLength());
  app.use(headSize(services.limits));
  app.use(sameSite(services.hosts));
  addJobRoutes(app, services);
  addEventRoute(app, services);
  addJobMetricsRoute(app, services);
  addJobResultRoute(app, services);
  addCheckpointRoutes(app, services);
  addCheckpointContentRoute(app, services);
  addDatasetRoutes(app, services);
  addReconstructionRoute(app, services);
  addClassificationRoute(app, services);
  addEmbeddingRoute(app, services);
  addHealthRoutes(app, services);
  addOpenApiRoute(app);
  app.route("/", pages);
  closeRoutes(app);
  return app;
}
