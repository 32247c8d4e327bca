/**
 * Which data sets are in use, and how one that is not is kept from new jobs while it is deleted.
 *
 * @module
 */
import { DatasetError } from "../data/datasets/dataset.ts";
import type { JobsDatabase } from "./change.ts";
import { hasCompleteIndexes } from "./indexes.ts";
import type { Job } from "./job.ts";
import { persistently } from "./kv.ts";
import { listJobs, PAGE_LIMIT } from "./lists.ts";
import { type JobRow, keys } from "./rows.ts";
import { isFinished } from "./transitions.ts";

/** How long new jobs are kept from a data set that is being deleted, in milliseconds: it is gone long before. */
export const DELETION_MS = 60_000;

/**
 * Keeps new jobs from a data set, unless an unfinished job reads it. Of a deletion and a new job at the same moment one
 * wins: a job's commit needs that there is no deletion, and users are looked for once the deletion is noted.
 *
 * @returns null when the data set can be deleted; else a job that uses it
 */
export async function beginDatasetDeletion(
  { kv, now }: JobsDatabase,
  datasetId: string,
): Promise<Job | null> {
  const key = keys.datasetDeleting(datasetId);
  await persistently(() => kv.set(key, now(), { expireIn: DELETION_MS }));
  const user = await findDatasetUser(kv, datasetId);
  if (user !== null) await persistently(() => kv.delete(key).then(() => true));
  return user;
}

/** Makes a new job's commit fail when its data set is being deleted. @throws {DatasetError} when it is already */
export async function checkDataset(
  kv: Deno.Kv,
  operation: Deno.AtomicOperation,
  datasetId: string,
  now: number,
): Promise<void> {
  const deleting = await kv.get<number>(keys.datasetDeleting(datasetId));
  if (deleting.value !== null && Math.abs(now - deleting.value) < DELETION_MS) {
    throw new DatasetError(`The data set '${datasetId}' is being deleted`, "dataset");
  }
  operation.check(deleting);
}

/**
 * A job that is not finished and reads the data set; null when there is none. A job that is claimed or handed back
 * meanwhile is not overlooked: its row stays while it is unfinished.
 */
export async function findDatasetUser(kv: Deno.Kv, datasetId: string): Promise<Job | null> {
  if (!await hasCompleteIndexes(kv)) return findDatasetUserByWalk(kv, datasetId);
  return await persistently(async () => {
    for await (
      const { value: id } of kv.list<string>({ prefix: keys.datasetJob(datasetId, "").slice(0, -1) })
    ) {
      const job = (await kv.get<JobRow>(keys.job(id))).value?.job;
      // It may have ended since the list was read.
      if (job !== undefined && !isFinished(job.status)) return job;
    }
    return null;
  });
}

/** The same for a database whose indexes are incomplete: a look at every unfinished job. */
async function findDatasetUserByWalk(kv: Deno.Kv, datasetId: string): Promise<Job | null> {
  // Queued on both sides of running: a job that is claimed or handed back between two looks is met in the next.
  for (const status of ["queued", "running", "queued", "paused"] as const) {
    let after: string | undefined;
    do {
      const page = await listJobs(kv, { status, limit: PAGE_LIMIT, after });
      const user = page.data.find((job) => job.request.dataset.id === datasetId);
      if (user) return user;
      after = page.next ?? undefined;
    } while (after !== undefined);
  }
  return null;
}
