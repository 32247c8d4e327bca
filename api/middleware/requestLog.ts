/**
 * Assigns each request an id, measures it for the metrics, and logs it.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import type { ApiEnv, LogEntry } from "../http/context.ts";
import type { ApiMetrics } from "../http/metrics.ts";
import { newRequestId } from "../http/requestId.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Returns the client's `X-Request-Id` when it has a valid form, else a new id. */
function requestIdOf(header: string | undefined): string {
  return header !== undefined && /^[A-Za-z0-9_-]{8,64}$/.test(header) ? header : newRequestId();
}

/** Creates the middleware. */
export function logRequests(
  { metrics, log }: { readonly metrics: ApiMetrics; readonly log: (entry: LogEntry) => void },
): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const requestId = requestIdOf(context.req.header("x-request-id"));
    const start = performance.now();
    context.set("requestId", requestId);
    await next();
    // `context.header` would copy the response, once for each field.
    const { headers, status } = context.res;
    headers.set("x-request-id", requestId);
    headers.set("x-content-type-options", "nosniff");
    const milliseconds = performance.now() - start;
    const method = METHODS.has(context.req.method) ? context.req.method : "other";
    const route = context.get("route") ?? "unmatched";
    metrics.requests.inc({ method, route, status: String(status) });
    metrics.durations.observe({ method, route }, milliseconds / 1000);
    log({
      level: status >= 500 && context.get("failure") !== undefined ? "error" : "info",
      message: "request",
      requestId,
      method: context.req.method.slice(0, 20),
      path: context.req.path.slice(0, 200),
      status,
      milliseconds: Math.round(milliseconds),
      error: context.get("failure"),
    });
  };
}

/** Writes a failure to standard error as one line of JSON, and ignores other entries. It is the default log. */
export function logFailure(entry: LogEntry): void {
  if (entry.level !== "error") return;
  const { error, ...rest } = entry;
  const cause = error instanceof Error ? error.stack ?? error.message : error;
  console.error(JSON.stringify({ time: new Date().toISOString(), ...rest, error: cause }));
}
