/**
 * Errors of Deno KV, classified by what the caller can do: try again, or store something smaller.
 *
 * @module
 */

const LOCKED = /database (table )?is locked|\bbusy\b/i;
const TRANSIENT =
  /timed? ?out|cannot reach|connection|network|unavailable|error sending request|broken pipe|failed to read response body/i;
/** The prefix that Deno's client puts before the gateway's message; see `gateway.ts`. */
const GATEWAY = /^.*\(status=424[^)]*\): /;
/** Messages of SQLite and the operating system for a full, read-only or failing disk. */
const DISK =
  /database or disk is full|disk I\/O error|readonly database|unable to open database file|no space left|read-only file system|quota exceeded/i;
/** Deno KV's messages about the size of a value (65,536 bytes), a key or a commit. */
const TOO_LARGE = /\btoo (large|many mutations)\b/i;

/**
 * The database cannot be used at present: it is unreachable, locked or full, or a call exceeded its time limit. The
 * same call may succeed later. A failed commit may have been applied or not. `cause` is the original error.
 */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
  /** @param outageMs milliseconds since the outage was noticed; 0 for the first failure */
  constructor(message: string, options?: ErrorOptions, readonly outageMs = 0) {
    super(message, options);
  }
}

/** A change conflicted with other writers at every attempt. */
export class KvContentionError extends Error {
  override readonly name = "KvContentionError";
  constructor(attempts: number) {
    super(`The database refused a change ${attempts} times because of other writers: try again`);
  }
}

/** A row or a whole commit is too large for the database. The same call would fail again. */
export class RowTooLargeError extends Error {
  override readonly name = "RowTooLargeError";
}

/** Returns true when SQLite refused a change because another process was writing. Nothing was applied. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && LOCKED.test(error.message);
}

/**
 * Returns true for an error after which the same call may succeed. Whether a failed commit was applied is unknown,
 * except after SQLite's `database is locked`, which applies nothing.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof DatabaseUnavailableError ||
    error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.ConnectionAborted ||
    [LOCKED, TRANSIENT, DISK].some((pattern) => pattern.test(error.message));
}

/**
 * Converts a transient error of the database to the error that callers handle.
 *
 * @param outageMs see {@linkcode DatabaseUnavailableError}
 */
export function databaseUnavailable(error: unknown, outageMs = 0): DatabaseUnavailableError {
  if (error instanceof DatabaseUnavailableError) return error;
  const reason = (error instanceof Error ? error.message : String(error)).replace(GATEWAY, "");
  return new DatabaseUnavailableError(`The database is unavailable: ${reason}`, { cause: error }, outageMs);
}

/** Converts the database's error about a size to a {@linkcode RowTooLargeError}. Returns other errors unchanged. */
export function sizeError(error: unknown): unknown {
  if (!(error instanceof TypeError && TOO_LARGE.test(error.message))) return error;
  return new RowTooLargeError(`The database cannot store it: ${error.message}`, { cause: error });
}
