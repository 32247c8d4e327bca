/**
 * Waiting with an end.
 *
 * @module
 */
import { ProblemError } from "./problem.ts";

/**
 * What the promise gives, if it does so in time. The work itself is not stopped.
 *
 * @throws {ProblemError} 503 when it does not
 */
export async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new ProblemError(503, `No answer within ${milliseconds} ms`)),
    milliseconds,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs work with a signal that is aborted when the client goes away or time is up.
 *
 * @throws {ProblemError} 504 when time was up
 */
export async function limited<T>(
  request: Request,
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const timeout = new AbortController();
  const timer = setTimeout(
    () => timeout.abort(new ProblemError(504, `It took longer than ${milliseconds / 1000} s`)),
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
