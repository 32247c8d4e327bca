/**
 * Yielding to the event loop during long work.
 *
 * @module
 */
import { setImmediate } from "node:timers";

let lastYield = performance.now();

/**
 * Waits for one round of the event loop, so that other requests, timers and messages are served. It does so only when
 * the last yield of this thread was at least `intervalMs` milliseconds ago, so it may be called after every small piece
 * of work.
 *
 * @param intervalMs a round takes a millisecond or more, so loops whose duration matters pass a longer interval
 * @example
 * ```ts
 * import { yieldToEventLoop } from "./eventLoop.ts";
 *
 * for (const rows of [[1, 2], [3, 4]]) {
 *   rows.sort();
 *   await yieldToEventLoop();
 * }
 * ```
 */
export async function yieldToEventLoop(intervalMs = 8): Promise<void> {
  if (performance.now() - lastYield < intervalMs) return;
  await new Promise((resolve) => setTimeout(resolve, 0));
  lastYield = performance.now();
}

/**
 * Waits for one round of the event loop, which takes a few microseconds when nothing is ready. Unlike
 * {@linkcode yieldToEventLoop}, it leaves no time to others: each of them makes at most one step.
 */
export function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
