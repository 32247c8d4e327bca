/**
 * Sets the Content-Length of a response to HEAD to that of the response to GET (RFC 9110 section 9.3.2).
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import type { ApiEnv } from "../http/context.ts";

/** Creates the middleware. Routes that respond to HEAD without a body set `content-length` themselves. */
export function headContentLength(): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    await next();
    const { res } = context;
    if (context.req.method !== "HEAD" || res.body === null || res.headers.has("content-length")) return;
    const { byteLength } = await res.arrayBuffer();
    context.res = new Response(null, { status: res.status, headers: res.headers });
    context.res.headers.set("content-length", String(byteLength));
  };
}
