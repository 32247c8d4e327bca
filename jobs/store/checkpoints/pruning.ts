/**
 * Removes older checkpoints of a job. The newest ones are kept, up to the number in the job's request.
 *
 * @module
 */
import type { Checkpoint, Job } from "../../job.ts";
import { type CommitPart, keys } from "../rows/keys.ts";
import { readAll } from "../rows/read.ts";
import { discardCheckpoint } from "./garbage.ts";

/** Maximum number of checkpoints that are removed in a commit. */
const MAX_REMOVED = 50;

/** Returns the number of checkpoints that a job keeps. It is infinite for a request of an earlier version. */
export function keptCheckpoints({ request }: Pick<Job, "request">): number {
  return request.keep?.last ?? Infinity;
}

/**
 * Prepares the removal of a job's older checkpoints, for the commit that records a newer one. A checkpoint that another
 * unfinished job starts from is kept. Damaged checkpoints do not count towards the number that is kept.
 *
 * @returns changes for the commit; null when there is nothing to remove
 */
export async function pruning(
  kv: Deno.Kv,
  job: Job,
  newest: { readonly id: string; readonly step: number },
): Promise<CommitPart | null> {
  const kept = keptCheckpoints(job);
  if (kept === Infinity) return null;
  // The guard is read before the jobs that start from a checkpoint. A job that is created in between changes the guard.
  const guard = await kv.get(keys.guard(job.id));
  const ids = await Array.fromAsync(kv.list<string>({ prefix: ["job_checkpoint", job.id] }));
  const rows = (await readAll<Checkpoint>(kv, ids.map(({ value }) => keys.checkpoint(value))))
    .filter((row) => row !== null && row.id !== newest.id)
    .sort((a, b) => b!.step - a!.step || (b!.createdAt < a!.createdAt ? -1 : 1)) as Checkpoint[];
  const surplus: Checkpoint[] = [];
  let keptCount = 1; // the newest one
  for (const row of rows) {
    if (keptCount >= kept) surplus.push(row);
    else if (row.damage === undefined) keptCount++;
  }
  const removed: Checkpoint[] = [];
  for (const row of surplus.reverse()) {
    if (removed.length === MAX_REMOVED) break;
    const users = await Array.fromAsync(kv.list({ prefix: ["start", row.id] }, { limit: 1 }));
    if (users.length === 0) removed.push(row);
  }
  if (removed.length === 0) return null;
  return (operation) => {
    operation.check(guard);
    for (const row of removed) discardCheckpoint(operation, row);
  };
}
