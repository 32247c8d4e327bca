/**
 * Rejects requests with a long address or large headers.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import type { ApiEnv } from "../http/context.ts";
import type { ApiLimits } from "../http/limits.ts";
import { ProblemError } from "../http/problem.ts";

/** Creates the middleware: 414 for the address, 431 for the headers. */
export function limitRequestSize(limits: ApiLimits): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const url = new URL(context.req.url);
    if (url.pathname.length + url.search.length > limits.urlBytes) {
      throw new ProblemError(414, `The address must have at most ${limits.urlBytes} bytes`);
    }
    let size = 0;
    context.req.raw.headers.forEach((value, name) => size += name.length + value.length + 4);
    if (size > limits.headerBytes) {
      throw new ProblemError(431, `The header must have at most ${limits.headerBytes} bytes: it has ${size}`);
    }
    await next();
  };
}
