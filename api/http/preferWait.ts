/**
 * `Prefer: wait=N` (RFC 7240): the response waits for the job to finish.
 *
 * @module
 */
import type { Job } from "../../jobs/job.ts";
import type { JobStore } from "../../jobs/store/store.ts";
import { isFinished } from "../../jobs/transitions.ts";
import { outageProblem } from "./errors.ts";
import { ProblemError } from "./problem.ts";

/**
 * Returns N of `Prefer: wait=N` in seconds; undefined without it. Other preferences are ignored, as RFC 7240 requires.
 *
 * @throws {ProblemError} 400 unless N is a whole number from 0 to `max`
 */
export function parsePreferWait(header: string | undefined, max: number): number | undefined {
  for (const part of (header ?? "").split(",")) {
    const [name, value] = part.split(";")[0].split("=").map((text) => text.trim());
    if (name.toLowerCase() !== "wait") continue;
    const seconds = value?.replace(/^"(.*)"$/, "$1") ?? "";
    if (/^\d{1,6}$/.test(seconds) && Number(seconds) <= max) return Number(seconds);
    throw new ProblemError(
      400,
      `Prefer: wait must be a whole number of seconds from 0 to ${max}: current value is '${
        seconds.slice(0, 20)
      }'`,
    );
  }
  return undefined;
}

/**
 * Waits for the job to finish. Returns its current state when the time is over, the client disconnects or the service
 * stops. During an outage of the database it returns `job` unchanged, so that a client that has just created the job
 * receives its id.
 */
export async function waitUntilFinished(
  { jobs, stopping }: { readonly jobs: JobStore; readonly stopping: AbortSignal },
  job: Job,
  seconds: number,
  disconnected: AbortSignal,
): Promise<Job> {
  if (isFinished(job.status) || seconds === 0) return job;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), seconds * 1000);
  try {
    const signal = AbortSignal.any([disconnected, stopping, timeout.signal]);
    return await jobs.finished(job.id, signal) ?? await jobs.get(job.id) ?? job;
  } catch (error) {
    if (outageProblem(error) === null) throw error;
    return job;
  } finally {
    clearTimeout(timer);
  }
}
