/**
 * Finishes what a killed process began to delete.
 *
 * @module
 */
import type { ObjectStore } from "../data/objects/store.ts";
import { finishDeletion, unfinishedDeletions } from "./deletion.ts";
import { collectGarbage } from "./garbage.ts";
import type { JobStore } from "./store.ts";

/**
 * Finishes deletions of jobs that were cut off, and deletes the objects of checkpoints that were being written or
 * removed. Any number of processes may do this at a time, beside everything else.
 *
 * @returns number of jobs and objects concerned
 */
export async function sweepJobs(jobs: JobStore, objects: ObjectStore): Promise<number> {
  const { kv } = jobs;
  const ids = await unfinishedDeletions(jobs);
  for (const id of ids) await finishDeletion(kv, objects, id);
  return ids.length + (await collectGarbage(kv, objects)).length;
}
