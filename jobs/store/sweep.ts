/**
 * Finishes deletions that a killed process began.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import { finishDeletion, unfinishedDeletions } from "./deletion.ts";
import { collectGarbage } from "./garbage.ts";
import type { JobStore } from "./store.ts";

/**
 * Finishes interrupted deletions of jobs, and deletes objects of checkpoints whose writing or removal was interrupted.
 * Any number of processes may call this at the same time.
 *
 * @returns number of jobs and objects deleted
 */
export async function sweepJobs(jobs: JobStore, objects: ObjectStore): Promise<number> {
  const { kv } = jobs;
  const ids = await unfinishedDeletions(jobs);
  for (const id of ids) await finishDeletion(kv, objects, id);
  return ids.length + (await collectGarbage(kv, objects)).length;
}
