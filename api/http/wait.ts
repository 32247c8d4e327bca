/**
 * Waiting for a job's end.
 *
 * @module
 */
import type { Job } from "../../jobs/job.ts";
import { isFinished } from "../../jobs/transitions.ts";
import type { Services } from "./context.ts";
import { outageProblem } from "./errors.ts";

/**
 * Waits for the job to finish. Returns its current state when the time is over, the client disconnects or the service
 * stops. During an outage of the database it returns the last known state, so that a client that has just created the
 * job receives its id.
 */
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
    return finished ?? await services.jobs.get(job.id) ?? job;
  } catch (error) {
    if (outageProblem(error) === null) throw error;
    return job;
  } finally {
    clearTimeout(timer);
  }
}
