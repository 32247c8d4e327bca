/**
 * Rejects requests with a long URL or large header fields.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import type { ApiEnv } from "../http/context.ts";
import type { ApiLimits } from "../http/limits.ts";
import { ProblemError } from "../http/problem.ts";

/** Creates the middleware: 414 for the URL, 431 for the header fields. */
export function limitRequestSize(limits: ApiLimits): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const { url } = context.req;
    if (url.length - url.indexOf("/", "https://".length) > limits.urlBytes) {
      throw new ProblemError(414, `The URL must have at most ${limits.urlBytes} bytes`);
    }
    let size = 0;
    context.req.raw.headers.forEach((value, name) => size += name.length + value.length + 4);
    if (size > limits.headerBytes) {
      throw new ProblemError(
        431,
        `The header fields must have at most ${limits.headerBytes} bytes together: they have ${size}`,
      );
    }
    await next();
  };
}
