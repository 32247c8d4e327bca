/**
 * Deno KV with its failures: what may be tried again, and how long to wait before.
 *
 * @module
 */

/** Refusals of a commit, each because another writer came first, after which a call gives up. */
const MAX_CONTENTION = 12;
const BASE_DELAY_MS = 5;
const MAX_DELAY_MS = 400;

/** How long a call that no lease limits is repeated while the database is unavailable, in milliseconds. */
export const PATIENCE_MS = 4_000;

/** True for a KV that is reached over HTTP (`denokv`): it has no queues, and its watch crosses processes. */
export function isRemoteKv(pathOrUrl: string | undefined): boolean {
  return pathOrUrl !== undefined && /^https?:\/\//i.test(pathOrUrl);
}

const LOCKED = /database (table )?is locked|\bbusy\b/i;
const TRANSIENT =
  /timed? ?out|cannot reach|connection|network|unavailable|error sending request|broken pipe|failed to read response body/i;
/** What Deno's client says before the gateway's own words; see `kvGateway.ts`. */
const GATEWAY = /^.*\(status=424[^)]*\): /;
/** What SQLite and the operating system say of a full, read-only or failing disk. */
const DISK =
  /database or disk is full|disk I\/O error|readonly database|unable to open database file|no space left|read-only file system|quota exceeded/i;

/**
 * The database cannot be used at present: it is unreachable, locked, full, or a call exceeded its time limit. The same
 * call may succeed later. Whether a commit was applied is not known. `cause` is the original error.
 */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
  /** @param awayMs milliseconds since the outage was noticed; 0 for the first failure */
  constructor(message: string, options?: ErrorOptions, readonly awayMs = 0) {
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

/** The error for callers when the database failed with `error`. @param awayMs see {@linkcode DatabaseUnavailableError} */
export function databaseUnavailable(error: unknown, awayMs = 0): DatabaseUnavailableError {
  if (error instanceof DatabaseUnavailableError) return error;
  const reason = (error instanceof Error ? error.message : String(error)).replace(GATEWAY, "");
  return new DatabaseUnavailableError(`The database is unavailable: ${reason}`, { cause: error }, awayMs);
}

/** A part of `ms` between one half and the whole, so that processes do not stay in step. */
export function jittered(ms: number): number {
  return ms * (0.5 + crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 33);
}

/** Waits; ends early and without an error when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/**
 * Calls `attempt` until it gives something other than `undefined`, with growing pauses. Transient errors are tried
 * again until the time is over; without a time of its own a call ends sooner in an outage that has lasted already.
 *
 * @param forMs milliseconds left for transient errors, asked again after each of them; a few seconds when absent
 * @throws {DatabaseUnavailableError} when the time was over
 * @throws {KvContentionError} when 12 attempts were refused
 */
export async function persistently<T>(
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
      const lasting = error instanceof DatabaseUnavailableError && error.awayMs > PATIENCE_MS;
      if (left() <= 0 || (forMs === undefined && lasting)) throw databaseUnavailable(error);
    }
    await pause(jittered(Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** tries)));
  }
}

/** Others were faster at every attempt. */
export class KvContentionError extends Error {
  override readonly name = "KvContentionError";
  constructor() {
    super(`The database refused a change ${MAX_CONTENTION} times because others came first: try again`);
  }
}
