/**
 * The use of data sets by jobs. A new job cannot use a data set that is being deleted.
 *
 * @module
 */
import { DatasetError } from "../../../data/datasets/dataset.ts";
import type { Job } from "../../job.ts";
import { isFinished } from "../../transitions.ts";
import type { JobsDatabase } from "../change.ts";
import { withRetry } from "../kv/retry.ts";
import { hasCompleteIndexes } from "../rows/indexes.ts";
import { type JobRow, keys } from "../rows/keys.ts";
import { listJobs, PAGE_LIMIT } from "../rows/read.ts";

/** Time for which new jobs with a data set are refused after its deletion began, in milliseconds. */
const DELETION_MS = 60_000;

/**
 * Refuses new jobs with a data set, unless an unfinished job reads it. If a deletion and the creation of a job race,
 * only one succeeds: the commit of the job checks that no deletion is recorded, and the deletion is recorded before it
 * searches for jobs.
 *
 * @returns null when the data set can be deleted, otherwise a job that uses it
 */
export async function beginDatasetDeletion(
  { kv, now }: JobsDatabase,
  datasetId: string,
): Promise<Job | null> {
  const key = keys.datasetDeleting(datasetId);
  await withRetry(() => kv.set(key, now(), { expireIn: DELETION_MS }));
  const user = await findDatasetUser(kv, datasetId);
  if (user !== null) await withRetry(() => kv.delete(key).then(() => true));
  return user;
}

/** Adds to the commit of a new job the check that its data set is not being deleted. @throws {DatasetError} if it is */
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
 * Finds an unfinished job that reads the data set; null when there is none. A job that is claimed or released
 * during the search is still found, because its index row exists until it is finished.
 */
export async function findDatasetUser(kv: Deno.Kv, datasetId: string): Promise<Job | null> {
  if (!await hasCompleteIndexes(kv)) return findDatasetUserByScan(kv, datasetId);
  return await withRetry(async () => {
    for await (
      const { value: id } of kv.list<string>({ prefix: keys.datasetJob(datasetId, "").slice(0, -1) })
    ) {
      const job = (await kv.get<JobRow>(keys.job(id))).value?.job;
      // The job may have finished since the list was read.
      if (job !== undefined && !isFinished(job.status)) return job;
    }
    return null;
  });
}

/** Finds such a job in a database whose indexes are incomplete, by reading every unfinished job. */
async function findDatasetUserByScan(kv: Deno.Kv, datasetId: string): Promise<Job | null> {
  // Queued jobs are read before and after running ones, so that no job is missed whose status changes during the scan.
  for (const status of ["queued", "running", "queued"] as const) {
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
