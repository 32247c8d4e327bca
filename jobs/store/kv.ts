/**
 * Deno KV with its failures: what may be tried again, and how long to wait before.
 *
 * @module
 */
import { jittered, pause } from "../backoff.ts";

/** Number of conflicts with other writers after which a call gives up its commit. */
const MAX_CONTENTION = 12;
const BASE_DELAY_MS = 5;
const MAX_DELAY_MS = 400;

/** How long a call without a lease is retried while the database is unavailable, in milliseconds. */
export const PATIENCE_MS = 4_000;

/** True for a KV that is reached over HTTP (`denokv`): it has no queues, and its watch crosses processes. */
export function isRemoteKv(pathOrUrl: string | undefined): boolean {
  return pathOrUrl !== undefined && /^https?:\/\//i.test(pathOrUrl);
}

const LOCKED = /database (table )?is locked|\bbusy\b/i;
const TRANSIENT =
  /timed? ?out|cannot reach|connection|network|unavailable|error sending request|broken pipe|failed to read response body/i;
/** The prefix that Deno's client puts before the gateway's message; see `kvGateway.ts`. */
const GATEWAY = /^.*\(status=424[^)]*\): /;
/** Messages of SQLite and the operating system for a full, read-only or failing disk. */
const DISK =
  /database or disk is full|disk I\/O error|readonly database|unable to open database file|no space left|read-only file system|quota exceeded/i;

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

/** True when SQLite refused a change because another process was writing; nothing was applied. */
export function isLocked(error: unknown): boolean {
  return error instanceof Error && LOCKED.test(error.message);
}

/**
 * True for an error after which the same call may succeed. Whether a failed commit was applied is not known then:
 * SQLite's `database is locked` says no, a broken connection says nothing.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof DatabaseUnavailableError ||
    error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.ConnectionAborted ||
    [LOCKED, TRANSIENT, DISK].some((pattern) => pattern.test(error.message));
}

/** The error for callers when the database failed with `error`. @param outageMs see {@linkcode DatabaseUnavailableError} */
export function databaseUnavailable(error: unknown, outageMs = 0): DatabaseUnavailableError {
  if (error instanceof DatabaseUnavailableError) return error;
  const reason = (error instanceof Error ? error.message : String(error)).replace(GATEWAY, "");
  return new DatabaseUnavailableError(`The database is unavailable: ${reason}`, { cause: error }, outageMs);
}

/**
 * Calls `attempt` until it returns something other than `undefined`, with backoff. Transient errors are retried until
 * the time is over. When `forMs` is absent, the time is shorter in an outage that has lasted for a while.
 *
 * @param forMs returns the milliseconds left for retries; called after each transient error; a few seconds when absent
 * @throws {DatabaseUnavailableError} when the time was over
 * @throws {KvContentionError} when 12 attempts were refused
 */
export async function withRetry<T>(
  attempt: () => Promise<T | undefined>,
  forMs?: () => number,
): Promise<T> {
  const began = performance.now();
  const left = forMs ?? (() => PATIENCE_MS - (performance.now() - began));
  let refused = 0;
  for (let tries = 1;; tries++) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
      if (++refused >= MAX_CONTENTION) throw new KvContentionError();
    } catch (error) {
      if (!isTransient(error)) throw error;
      const lasting = error instanceof DatabaseUnavailableError && error.outageMs > PATIENCE_MS;
      if (left() <= 0 || (forMs === undefined && lasting)) throw databaseUnavailable(error);
    }
    await pause(jittered(Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** tries)));
  }
}

/** Others were faster at every attempt. */
export class KvContentionError extends Error {
  override readonly name = "KvContentionError";
  constructor() {
    super(`The database refused a change ${MAX_CONTENTION} times because of other writers: try again`);
  }
}
