/**
 * Problem details (RFC 9457), the error format of the API.
 *
 * @module
 */

/** A wrong value of a request: its path, such as `model.patch_size`, and the rule that it must follow. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** The statuses of problems, and their titles. */
export const PROBLEM_TITLES = {
  400: "Bad request",
  403: "Forbidden",
  404: "Not found",
  405: "Method not allowed",
  406: "Not acceptable",
  408: "Request timeout",
  409: "Conflict",
  413: "Content too large",
  414: "URI too long",
  415: "Unsupported media type",
  416: "Range not satisfiable",
  421: "Misdirected request",
  422: "Invalid request",
  431: "Request header fields too large",
  500: "Internal error",
  503: "Service unavailable",
  504: "Timeout",
} as const;

/** A status of a problem. */
export type ProblemStatus = keyof typeof PROBLEM_TITLES;

/** Optional parts of a problem. */
export interface ProblemOptions {
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error of a request. The error handler of the application converts it to a response. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  /** @param detail a sentence with the fault of this request and what would be right */
  constructor(readonly status: ProblemStatus, detail: string, options: ProblemOptions = {}) {
    super(detail, { cause: options.cause });
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
  }
}

/** Creates the problem for one wrong field of the request. @param path empty for the body as a whole */
export function fieldProblem(
  status: ProblemStatus,
  path: string,
  message: string,
  options: Omit<ProblemOptions, "errors"> = {},
): ProblemError {
  const detail = path === "" ? `The body ${message}` : `${path}: ${message}`;
  return new ProblemError(status, detail, { ...options, errors: [{ path, message }] });
}

/** Creates the problem for a method that a path does not have. @param allow the allowed methods, as in `Allow` */
export function methodProblem(method: string, allow: string): ProblemError {
  return new ProblemError(405, `The method must be one of ${allow}: it is ${method.slice(0, 20)}`, {
    headers: { allow },
  });
}

/** Formats a problem as JSON. */
export function problemText(problem: ProblemError, instance: string, requestId: string): string {
  const title = PROBLEM_TITLES[problem.status];
  return JSON.stringify({
    type: `urn:unmask:problem:${title.toLowerCase().replaceAll(" ", "-")}`,
    title,
    status: problem.status,
    detail: problem.message,
    instance,
    request_id: requestId,
    errors: problem.errors,
  });
}

/** Creates the response to a request that failed. */
export function problemResponse(problem: ProblemError, instance: string, requestId: string): Response {
  return new Response(problemText(problem, instance, requestId), {
    status: problem.status,
    headers: {
      ...problem.headers,
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
