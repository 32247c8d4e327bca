/**
 * Finds the resource that a path names.
 *
 * @module
 */
import type { Checkpoint, Job } from "../../jobs/job.ts";
import { ProblemError } from "../http/problem.ts";
import type { Services } from "../services.ts";

/** Returns a job. @throws {ProblemError} 404 */
export async function requireJob({ jobs }: Services, id: string): Promise<Job> {
  const job = await jobs.get(id);
  if (job === null) throw new ProblemError(404, `There is no job '${id}'`);
  return job;
}

/** Returns a checkpoint. @throws {ProblemError} 404 */
export async function requireCheckpoint({ jobs }: Services, id: string): Promise<Checkpoint> {
  const checkpoint = await jobs.getCheckpoint(id);
  if (checkpoint === null) throw new ProblemError(404, `There is no checkpoint '${id}'`);
  return checkpoint;
}
