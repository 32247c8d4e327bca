/**
 * Gives each request an id, times and counts it, and writes its line of the log.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { ulid } from "ulid";
import type { ApiEnv, Services } from "../http/context.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** The client's own `X-Request-Id` when it is plain, else a new one. */
function requestId(given: string | undefined): string {
  return given !== undefined && /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : `req_${ulid()}`;
}

/** Middleware; see the module's description. */
export function observe(services: Services): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const id = requestId(context.req.header("x-request-id"));
    const start = performance.now();
    context.set("requestId", id);
    await next();
    context.header("x-request-id", id);
    context.header("x-content-type-options", "nosniff");
    const milliseconds = performance.now() - start;
    const method = METHODS.has(context.req.method) ? context.req.method : "other";
    const route = context.get("route") ?? "unmatched";
    const status = context.res.status;
    services.metrics.requests.inc({ method, route, status: String(status) });
    services.metrics.durations.observe({ method, route }, milliseconds / 1000);
    services.log({
      level: status >= 500 && context.get("failure") !== undefined ? "error" : "info",
      message: "request",
      requestId: id,
      method: context.req.method.slice(0, 20),
      path: context.req.path.slice(0, 200),
      status,
      milliseconds: Math.round(milliseconds),
      error: context.get("failure"),
    });
  };
}

/** The log of a server that is told nothing else: failures, on standard error, one JSON object a line. */
export function logFailures(entry: Parameters<Services["log"]>[0]): void {
  if (entry.level !== "error") return;
  const { error, ...rest } = entry;
  const cause = error instanceof Error ? error.stack ?? error.message : error;
  console.error(JSON.stringify({ time: new Date().toISOString(), ...rest, error: cause }));
}
