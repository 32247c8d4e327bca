/**
 * The sweep, which finishes the deletions of killed processes.
 *
 * @module
 */
import type { ObjectStore } from "../../../data/objects/store.ts";
import type { JobsDatabase } from "../change.ts";
import { collectGarbage } from "../checkpoints/garbage.ts";
import { finishDeletion, unfinishedDeletions } from "./deleteJob.ts";

/**
 * Finishes interrupted deletions of jobs, and deletes objects of checkpoints whose writing, import or removal was
 * interrupted.
 * Any number of processes may call this at the same time.
 *
 * @returns number of jobs and objects deleted
 */
export async function sweepJobs(
  jobs: Pick<JobsDatabase, "kv" | "now">,
  objects: ObjectStore,
): Promise<number> {
  const ids = await unfinishedDeletions(jobs);
  for (const id of ids) await finishDeletion(jobs, objects, id);
  return ids.length + (await collectGarbage(jobs, objects)).length;
}
