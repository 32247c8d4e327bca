/**
 * The index rows of jobs: indexes by status and kind, the number of jobs with each status, and the unfinished jobs of
 * each data set. They change in the same commit as the job.
 *
 * Databases of versions before the counters have job rows without `indexVersion`. Such a row is not counted yet. The
 * next change to it counts it in the same commit, and {@linkcode completeIndexes} counts the rest. A row is therefore
 * counted exactly once, even if several processes do this at the same time or are interrupted. The row
 * `["index_version"]` is written at the end. Until then the counters are incomplete, and readers scan older indexes.
 *
 * Processes of an earlier version must be stopped before one of this version starts, because they change jobs without
 * counting.
 *
 * @module
 */
import { type Job, JOB_STATUSES, type JobStatus } from "../../job.ts";
import { isFinished } from "../../transitions.ts";
import { withRetry } from "../kv/retry.ts";
import { indexKeys, indexPrefix, type JobRow, keys } from "./keys.ts";

/** Version of the index rows. */
export const INDEX_VERSION = 1;

/** Rows in one commit of the scan: `denokv` accepts ten checks in a commit. */
const ROWS_PER_COMMIT = 10;

/** Adding this to an unsigned 64-bit counter subtracts one, because the sum wraps around. */
const MINUS_ONE = 2n ** 64n - 1n;

/**
 * Adds the changes of index rows to the commit that changes a job.
 *
 * @param before the stored row; null for a new job
 * @param after the job in the new row, which must have {@linkcode INDEX_VERSION}; null when the commit deletes the row
 */
export function updateIndexes(
  operation: Deno.AtomicOperation,
  before: JobRow | null,
  after: Job | null,
): void {
  if (before?.job.status !== after?.status) {
    for (const key of before ? indexKeys(before.job) : []) operation.delete(key);
    for (const key of after ? indexKeys(after) : []) operation.set(key, after!.id);
  }
  const counted = before !== null && isIndexed(before) ? before.job : null;
  if (counted?.status === after?.status) return;
  if (counted) operation.sum(keys.jobCount(counted.status), MINUS_ONE);
  if (after) operation.sum(keys.jobCount(after.status), 1n);
  const job = (after ?? counted)!;
  const user = keys.datasetJob(job.request.dataset.id, job.id);
  if (after && !isFinished(after.status)) operation.set(user, job.id);
  else operation.delete(user);
}

function isIndexed(row: JobRow): boolean {
  return (row.indexVersion ?? 0) >= INDEX_VERSION;
}

/** Returns true when every job has its index rows. Once true, it stays true. */
export async function hasCompleteIndexes(kv: Deno.Kv): Promise<boolean> {
  const { value } = await withRetry(() => kv.get<number>(keys.indexVersion()));
  return (value ?? 0) >= INDEX_VERSION;
}

/**
 * Adds the index rows of the jobs that have none, and then records that they are complete. If they are complete
 * already, it does nothing.
 *
 * @returns number of jobs whose rows were added by this call
 */
export async function completeIndexes(kv: Deno.Kv, signal?: AbortSignal): Promise<number> {
  if (await hasCompleteIndexes(kv)) return 0;
  let added = 0;
  let batch: string[] = [];
  for await (const { value } of kv.list<JobRow>({ prefix: ["job"] })) {
    if (signal?.aborted) return added;
    if (isIndexed(value)) continue;
    batch.push(value.job.id);
    if (batch.length < ROWS_PER_COMMIT) continue;
    added += await indexJobs(kv, batch);
    batch = [];
  }
  if (batch.length > 0) added += await indexJobs(kv, batch);
  await withRetry(() => kv.set(keys.indexVersion(), INDEX_VERSION));
  return added;
}

/** Adds the index rows of at most ten jobs. @returns number of jobs that had none */
function indexJobs(kv: Deno.Kv, ids: readonly string[]): Promise<number> {
  return withRetry(async () => {
    const entries = await kv.getMany<JobRow[]>(ids.map(keys.job));
    const operation = kv.atomic();
    let added = 0;
    for (const entry of entries) {
      if (entry.value === null || isIndexed(entry.value)) continue;
      const { job } = entry.value;
      operation.check(entry).set(keys.job(job.id), { ...entry.value, indexVersion: INDEX_VERSION });
      updateIndexes(operation, entry.value, job);
      added++;
    }
    if (added === 0) return 0;
    return (await operation.commit()).ok ? added : undefined;
  });
}

/** Returns the number of jobs with each status, from the counters, or by a scan while they are incomplete. */
export async function countJobs(kv: Deno.Kv): Promise<Record<JobStatus, number>> {
  const [version, ...counters] = await withRetry(() =>
    kv.getMany<[number, ...Deno.KvU64[]]>([keys.indexVersion(), ...JOB_STATUSES.map(keys.jobCount)])
  );
  const isComplete = (version.value ?? 0) >= INDEX_VERSION;
  const counts = {} as Record<JobStatus, number>;
  for (const [i, status] of JOB_STATUSES.entries()) {
    counts[status] = isComplete
      ? Number(counters[i].value?.value ?? 0n)
      : await withRetry(() => countRows(kv, indexPrefix({ status })));
  }
  return counts;
}

async function countRows(kv: Deno.Kv, prefix: Deno.KvKey): Promise<number> {
  let count = 0;
  for await (const _ of kv.list({ prefix }, { batchSize: 500 })) count++;
  return count;
}
