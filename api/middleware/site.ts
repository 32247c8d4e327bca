/**
 * Refuses what a foreign web page could make a browser send: writes from another origin, and requests under a name
 * that is not this service's (DNS rebinding).
 *
 * @module
 */
import type { Context, MiddlewareHandler } from "hono";
import type { ApiEnv, HostNames } from "../environment.ts";
import { ProblemError } from "../problem.ts";
import { parseHost } from "../server/host.ts";

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a host's name means this machine alone: `localhost`, a name under it, 127.0.0.0/8, `[::1]`. */
export function isLoopback(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(name);
}

/** Middleware: 421 for a Host that is not accepted, 403 for a write from another origin. */
export function sameSite(hosts: HostNames): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const host = context.req.header("host");
    // In-process requests have none; the server itself refuses those of HTTP/1.1 without one.
    if (host !== undefined && !isAccepted(host, hosts)) {
      throw new ProblemError(
        421,
        "Host names another server: UNMASK_HOSTS lists the names that are accepted",
      );
    }
    if (!SAFE.has(context.req.method)) checkOrigin(context, host, hosts);
    await next();
  };
}

function isAccepted(host: string, hosts: HostNames): boolean {
  const parsed = parseHost(host);
  if (parsed === null) return false;
  return hosts === "any" || isLoopback(parsed.name) || hosts.includes(parsed.name);
}

function checkOrigin(context: Context<ApiEnv>, host: string | undefined, hosts: HostNames): void {
  const site = context.req.header("sec-fetch-site");
  const origin = context.req.header("origin");
  // A page without an origin of its own, that the browser says is ours.
  if (origin === "null" && site === "same-origin") return;
  const foreign = site === "cross-site" || site === "same-site" ||
    (origin !== undefined && !isOwn(origin, host, hosts));
  if (foreign) {
    throw new ProblemError(403, "A write must come from this service's own pages, or from no page");
  }
}

/** Whether an Origin is that of the Host, or has one of the names that are listed. */
function isOwn(origin: string, host: string | undefined, hosts: HostNames): boolean {
  const url = URL.parse(origin);
  if (url === null || !["http:", "https:"].includes(url.protocol)) return false;
  if (hosts !== "any" && hosts.includes(url.hostname)) return true;
  return host !== undefined && URL.parse(`${url.protocol}//${host}`)?.host === url.host;
}
