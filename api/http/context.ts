/**
 * The variables that Hono's context holds during a request, and the log entry written after it.
 *
 * @module
 */

/** The log entry of one request. */
export interface LogEntry {
  readonly level: "info" | "error";
  readonly message: string;
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  /** The cause of a failure, with its stack. It is never part of a response. */
  readonly error?: unknown;
}

/** Type parameter of Hono for the API's context. */
export interface ApiEnv {
  Variables: {
    requestId: string;
    /** The negotiated media type of the response. */
    mediaType: string;
    /** Path pattern of the matched route, for metrics. */
    route?: string;
    /** The error behind a 500, for the log. */
    failure?: unknown;
  };
}
