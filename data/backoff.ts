/**
 * Pauses between retries and polls.
 *
 * @module
 */

/** Returns a random duration between half of `ms` and `ms`, so that processes do not retry in step. */
export function jittered(ms: number): number {
  return ms * (0.5 + crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 33);
}

/** Waits for `ms` milliseconds. Resolves early, without an error, when the signal is aborted. */
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
