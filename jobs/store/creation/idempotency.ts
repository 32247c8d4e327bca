/**
 * Rules of idempotency keys, for jobs and for data sets.
 *
 * @module
 */

/** Time for which an idempotency key is stored, in milliseconds. */
export const IDEMPOTENCY_MS = 24 * 60 * 60 * 1000;
/** Maximum number of characters of an idempotency key. */
export const IDEMPOTENCY_KEY_LENGTH = 255;

/** The key was used for another request. */
export class IdempotencyConflictError extends Error {
  override readonly name = "IdempotencyConflictError";
  constructor(readonly key: string) {
    super(`The idempotency key '${key.slice(0, 80)}' was used for a different request: choose another key`);
  }
}
