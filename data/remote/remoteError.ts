/**
 * Errors of downloads.
 *
 * @module
 */

/** Why a download failed. Only one that is `unavailable` may succeed when it is repeated. */
export type RemoteReason = "refused" | "forbidden" | "missing" | "too_large" | "unavailable";

/** A download that was refused or failed. The message has no part of a response's body. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";
  /** Time after which the server may respond, in milliseconds, if the server sent one. */
  readonly retryAfterMs: number | null;

  constructor(
    readonly reason: RemoteReason,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
