/**
 * Time limits for asynchronous work.
 *
 * @module
 */
import { ProblemError } from "./problem.ts";

/**
 * Waits for a promise for at most `milliseconds`. The work itself is not stopped.
 *
 * @throws {ProblemError} 503 when the time is over
 */
export async function withTimeout<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(new ProblemError(503, `No response within ${milliseconds} ms`)),
    milliseconds,
  );
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs work with a signal that is aborted when the client disconnects or the time is over.
 *
 * @throws {ProblemError} 504 when the time is over
 */
export async function withTimeLimit<T>(
  request: Request,
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // This is several times faster than `AbortSignal.any`.
  const controller = new AbortController(), { signal } = request;
  const disconnect = () => controller.abort(signal.reason);
  let timedOut: ProblemError | null = null;
  const timer = setTimeout(() => {
    timedOut = new ProblemError(504, `The request took longer than ${milliseconds / 1000} s`);
    controller.abort(timedOut);
  }, milliseconds);
  signal.addEventListener("abort", disconnect, { once: true });
  if (signal.aborted) disconnect();
  try {
    return await work(controller.signal);
  } catch (error) {
    throw timedOut ?? error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", disconnect);
  }
}
