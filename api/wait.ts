/**
 * Waiting for a job's end.
 *
 * @module
 */
import type { Job } from "../jobs/job.ts";
import { isFinished } from "../jobs/transitions.ts";
import type { Services } from "./environment.ts";

/** The job once it is finished, or as it is when the seconds are over, the client has gone or the service stops. */
export async function finishedWithin(
  services: Services,
  job: Job,
  seconds: number,
  clientGone: AbortSignal,
): Promise<Job> {
  if (isFinished(job.status) || seconds === 0) return job;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), seconds * 1000);
  try {
    const finished = await services.jobs.finished(
      job.id,
      AbortSignal.any([clientGone, services.stopping, over.signal]),
    );
    if (finished !== null) return finished;
  } finally {
    clearTimeout(timer);
  }
  return await services.jobs.get(job.id) ?? job;
}
