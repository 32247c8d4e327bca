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
  const timeout = new AbortController();
  const timer = setTimeout(
    () => timeout.abort(new ProblemError(504, `The request took longer than ${milliseconds / 1000} s`)),
    milliseconds,
  );
  try {
    return await work(AbortSignal.any([request.signal, timeout.signal]));
  } catch (error) {
    throw timeout.signal.aborted ? timeout.signal.reason : error;
  } finally {
    clearTimeout(timer);
  }
}
