/**
 * Deno KV with its failures: what may be tried again, and how long to wait before.
 *
 * @module
 */

const MAX_TRIES = 12;
const BASE_DELAY_MS = 5;
const MAX_DELAY_MS = 400;

/** True for a KV that is reached over HTTP (`denokv`): it has no queues, and its watch crosses processes. */
export function isRemoteKv(pathOrUrl: string | undefined): boolean {
  return pathOrUrl !== undefined && /^https?:\/\//i.test(pathOrUrl);
}

const TRANSIENT =
  /database is locked|database table is locked|\bbusy\b|timed? ?out|connection|network|unavailable|error sending request|broken pipe/i;

/**
 * True for an error after which the same call may succeed. Whether a failed commit was applied is not known then:
 * SQLite's `database is locked` says no, a broken connection says nothing.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Deno.errors.TimedOut || error instanceof Deno.errors.Interrupted ||
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.ConnectionRefused ||
    error instanceof Deno.errors.ConnectionAborted || TRANSIENT.test(error.message);
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
 * Calls `attempt` until it gives something other than `undefined`, with growing pauses, at most 12 times. Transient
 * errors count as `undefined`.
 *
 * @throws the last transient error, or {@linkcode KvContentionError} when every attempt was refused
 */
export async function persistently<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  let last: unknown;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    if (tries > 0) await pause(jittered(Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** tries)));
    try {
      const value = await attempt();
      if (value !== undefined) return value;
      last = new KvContentionError();
    } catch (error) {
      if (!isTransient(error)) throw error;
      last = error;
    }
  }
  throw last;
}

/** Others were faster at every attempt. */
export class KvContentionError extends Error {
  override readonly name = "KvContentionError";
  constructor() {
    super(`The database refused a change ${MAX_TRIES} times because others came first: try again`);
  }
}

/**
 * The database cannot be used at present: it is unreachable, locked, full, or a call exceeded its time limit. The same
 * call may succeed later. `cause` is the original error.
 */
export class DatabaseUnavailableError extends Error {
  override readonly name = "DatabaseUnavailableError";
}
