/**
 * The HTTP API.
 *
 * @module
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { pages } from "./dashboard/pages.ts";
import type { ApiEnv } from "./http/context.ts";
import { ConcurrencyLimit } from "./http/concurrencyLimit.ts";
import { handleError } from "./http/errors.ts";
import { DEFAULT_LIMITS } from "./http/limits.ts";
import { createMetrics } from "./http/metrics.ts";
import { ProblemError } from "./http/problem.ts";
import { addMethodFallbacks } from "./http/route.ts";
import { headContentLength } from "./middleware/headContentLength.ts";
import { logFailure, logRequests } from "./middleware/requestLog.ts";
import { limitRequestSize } from "./middleware/requestSize.ts";
import { requireSameSite } from "./middleware/sameSite.ts";
import { ROUTES } from "./routes/list.ts";
import type { AppDeps, Services } from "./services.ts";

/**
 * Creates the application: `app.fetch` for `listen`, `app.request` for tests. It closes none of its dependencies.
 *
 * @example
 * ```ts
 * import { createApp } from "./app.ts";
 * import { listen } from "./server/listen.ts";
 * import type { AppDeps } from "./services.ts";
 *
 * declare const deps: AppDeps;
 * const app = createApp(deps);
 * await listen(app.fetch, { port: 8000, host: "127.0.0.1" });
 * ```
 */
export function createApp(deps: AppDeps): OpenAPIHono<ApiEnv> {
  const limits = { ...DEFAULT_LIMITS, ...deps.limits };
  const services: Services = {
    ...deps,
    limits,
    now: deps.now ?? Date.now,
    hosts: deps.hosts ?? "any",
    stopping: deps.stopping ?? new AbortController().signal,
    log: deps.log ?? logFailure,
    metrics: createMetrics(),
    uploads: new ConcurrencyLimit(limits.weightsUploads, "uploads of weights"),
    imports: new ConcurrencyLimit(limits.imports, "imports"),
    downloads: new ConcurrencyLimit(limits.downloads, "imports by URL"),
    exports: new ConcurrencyLimit(limits.exports, "exports"),
  };
  const app = new OpenAPIHono<ApiEnv>();
  app.onError(handleError);
  app.notFound((context) => handleError(new ProblemError(404, "There is no resource at this path"), context));
  app.use(logRequests(services));
  app.use(headContentLength());
  app.use(limitRequestSize(services.limits));
  app.use(requireSameSite(services.hosts));
  for (const addRoutes of ROUTES) addRoutes(app, services);
  app.route("/", pages);
  addMethodFallbacks(app);
  return app;
}
