/**
 * Values that the database does not take for their size.
 *
 * @module
 */

/** A row, or a commit as a whole, is larger than the database takes. The same call fails again. */
export class RowTooLargeError extends Error {
  override readonly name = "RowTooLargeError";
}

/** Bytes of a value (65,536), a key or a commit: what Deno KV says of each. */
const TOO_LARGE = /\btoo (large|many mutations)\b/i;

/** Makes the database's refusal of a size a {@linkcode RowTooLargeError}; other errors pass as they are. */
export function namedTooLarge(error: unknown): unknown {
  if (!(error instanceof TypeError && TOO_LARGE.test(error.message))) return error;
  return new RowTooLargeError(`The database cannot store it: ${error.message}`, { cause: error });
}
