/**
 * Rejects requests that another web page makes a browser send: writes from another origin, and requests with a Host
 * that is not this service's (DNS rebinding).
 *
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import type { ApiEnv } from "../http/context.ts";
import { type HostNames, isLoopback, parseHost } from "../http/host.ts";
import { ProblemError } from "../http/problem.ts";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Creates the middleware: 421 for a Host that is not accepted, 403 for a write from another origin. */
export function requireSameSite(hosts: HostNames): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const host = context.req.header("host");
    // In-process requests have no Host. The server rejects HTTP/1.1 requests without one.
    if (host !== undefined && !isAccepted(host, hosts)) {
      throw new ProblemError(
        421,
        "Host must be a name of this server: the setting UNMASK_HOSTS lists the accepted names",
      );
    }
    if (!SAFE_METHODS.has(context.req.method)) checkOrigin(context, host, hosts);
    await next();
  };
}

function isAccepted(host: string, hosts: HostNames): boolean {
  const parsed = parseHost(host);
  if (parsed === null) return false;
  return hosts === "any" || isLoopback(parsed.name) || hosts.includes(parsed.name);
}

/** @throws {ProblemError} 403 for a request of a web page from another origin */
function checkOrigin(context: Context<ApiEnv>, host: string | undefined, hosts: HostNames): void {
  const site = context.req.header("sec-fetch-site");
  const origin = context.req.header("origin");
  // A page with an opaque origin that the browser reports as same-origin.
  if (origin === "null" && site === "same-origin") return;
  const isForeign = site === "cross-site" || site === "same-site" ||
    (origin !== undefined && !isAllowedOrigin(origin, host, hosts));
  if (isForeign) {
    throw new ProblemError(403, "Requests from other web pages must not change anything on this service");
  }
}

/** Returns whether an Origin matches the Host or has one of the listed names. */
function isAllowedOrigin(origin: string, host: string | undefined, hosts: HostNames): boolean {
  const url = URL.parse(origin);
  if (url === null || !["http:", "https:"].includes(url.protocol)) return false;
  if (hosts !== "any" && hosts.includes(url.hostname)) return true;
  return host !== undefined && URL.parse(`${url.protocol}//${host}`)?.host === url.host;
}
