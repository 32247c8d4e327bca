/**
 * Values that are too large for the database.
 *
 * @module
 */

/** A row or a whole commit is too large for the database. The same call would fail again. */
export class RowTooLargeError extends Error {
  override readonly name = "RowTooLargeError";
}

/** Deno KV's messages about the size of a value (65,536 bytes), a key or a commit. */
const TOO_LARGE = /\btoo (large|many mutations)\b/i;

/** Turns the database's error about a size into a {@linkcode RowTooLargeError}. Other errors stay as they are. */
export function namedTooLarge(error: unknown): unknown {
  if (!(error instanceof TypeError && TOO_LARGE.test(error.message))) return error;
  return new RowTooLargeError(`The database cannot store it: ${error.message}`, { cause: error });
}
