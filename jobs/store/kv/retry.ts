/**
 * Retries of database calls with backoff.
 *
 * @module
 */
import { jittered, pause } from "../../../data/backoff.ts";
import { databaseUnavailable, DatabaseUnavailableError, isTransient, KvContentionError } from "./errors.ts";

/** Maximum number of attempts that conflict with other writers. */
const MAX_CONFLICTS = 12;
/** Pause after the first failed attempt, doubled after each later one up to the longest, in milliseconds. */
const FIRST_PAUSE_MS = 10, LONGEST_PAUSE_MS = 400;
/** Longest time for which a call without a lease is retried while the database is unavailable, in milliseconds. */
const RETRY_MS = 4_000;

/**
 * Calls `attempt` until it returns something other than `undefined`, with backoff. An attempt returns `undefined` when
 * its commit conflicted with another writer. Transient errors are retried until the time limit. A call without
 * `remainingMs` is not retried if the outage has already lasted longer than 4 s.
 *
 * @param remainingMs returns the milliseconds left for retries; called after each transient error; 4 s when absent
 * @throws {DatabaseUnavailableError} when the time limit was reached
 * @throws {KvContentionError} after 12 conflicts
 */
export async function withRetry<T>(
  attempt: () => Promise<T | undefined>,
  remainingMs?: () => number,
): Promise<T> {
  const began = performance.now();
  const remaining = remainingMs ?? (() => RETRY_MS - (performance.now() - began));
  let conflicts = 0;
  for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
      if (++conflicts >= MAX_CONFLICTS) throw new KvContentionError(MAX_CONFLICTS);
    } catch (error) {
      if (!isTransient(error)) throw error;
      const isLongOutage = error instanceof DatabaseUnavailableError && error.outageMs > RETRY_MS;
      if (remaining() <= 0 || (remainingMs === undefined && isLongOutage)) throw databaseUnavailable(error);
    }
    await pause(jittered(pauseMs));
  }
}
