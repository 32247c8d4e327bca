/**
 * Deletes jobs: first the row of a job, then its objects and the rows that refer to them. Each step can be repeated, so
 * that the next deletion or the sweep finishes an interrupted one.
 *
 * @module
 */
import type { ObjectStore } from "../../../data/objects/store.ts";
import { resultKey } from "../../artifacts/objectKeys.ts";
import type { Checkpoint, JobStatus } from "../../job.ts";
import { JobNotFoundError, type JobsDatabase } from "../change.ts";
import { collectGarbage, discardCheckpoint } from "../checkpoints/garbage.ts";
import { withRetry } from "../kv/retry.ts";
import { updateIndexes } from "../rows/indexes.ts";
import { type JobRow, keys, sourceOf } from "../rows/keys.ts";

/** The job is running and cannot be deleted yet. */
export class JobUnfinishedError extends Error {
  override readonly name = "JobUnfinishedError";
  constructor(readonly id: string, readonly status: JobStatus) {
    super(`Cannot delete a job that is ${status}: cancel it first`);
  }
}

/** An unfinished job starts from one of the checkpoints. */
export class CheckpointInUseError extends Error {
  override readonly name = "CheckpointInUseError";
  constructor(readonly checkpointId: string, readonly jobId: string) {
    super(`Cannot delete checkpoint '${checkpointId}': job '${jobId}' starts from it and is not finished`);
  }
}

/** Maximum number of rows that a commit removes. */
const ROWS_PER_COMMIT = 500;
/** Maximum number of checkpoints that a commit removes, each with up to four changes. */
const CHECKPOINTS_PER_COMMIT = 100;

/**
 * Deletes a queued or finished job with its events, metrics, checkpoints and results. An interrupted deletion is
 * finished by deleting the job again.
 *
 * @throws {JobNotFoundError} @throws {JobUnfinishedError} @throws {CheckpointInUseError}
 * @throws {StorageUnavailableError} when the objects cannot be deleted at present
 */
export async function deleteJob(database: JobsDatabase, objects: ObjectStore, id: string): Promise<void> {
  await withRetry(() => deleteRow(database, id));
  database.changed(id);
  await finishDeletion(database, objects, id);
}

/** Age after which a deletion counts as interrupted, in milliseconds. Until then the client may repeat it. */
const INTERRUPTED_MS = 60_000;

/** Returns the ids of jobs whose deletion began at least a minute ago and is not finished. */
export function unfinishedDeletions({ kv, now }: Pick<JobsDatabase, "kv" | "now">): Promise<string[]> {
  return withRetry(async () => {
    const rows = await Array.fromAsync(kv.list<number>({ prefix: ["deleting"] }));
    return rows.filter(({ value }) => Math.abs(now() - value) >= INTERRUPTED_MS).map(({ key }) =>
      key[1] as string
    );
  });
}

/** Deletes the remaining rows and objects of a job whose row is deleted. The row of the deletion is removed last. */
export async function finishDeletion(
  database: Pick<JobsDatabase, "kv" | "now">,
  objects: ObjectStore,
  id: string,
): Promise<void> {
  const { kv } = database;
  await discardCheckpoints(kv, id);
  await collectGarbage(database, objects, id);
  for await (const { key } of objects.list(resultKey(id, ""))) await objects.delete(key);
  for (const table of ["event", "steps", "epoch"]) await removeAll(kv, kv.list({ prefix: [table, id] }));
  await withRetry(() =>
    kv.atomic().delete(keys.guard(id)).delete(keys.deleting(id)).commit().then(({ ok }) => ok || undefined)
  );
}

/** Deletes the row of the job. Returns true on success, undefined after a conflict with another change. */
async function deleteRow({ kv, now }: JobsDatabase, id: string): Promise<true | undefined> {
  const [entry, guard, deleting] = await kv.getMany<[JobRow, string, number]>([
    keys.job(id),
    keys.guard(id),
    keys.deleting(id),
  ]);
  if (entry.value === null) {
    if (deleting.value !== null) return true;
    throw new JobNotFoundError(id);
  }
  const { job } = entry.value;
  if (job.status === "running") throw new JobUnfinishedError(id, job.status);
  for await (const { value: checkpoint } of kv.list<string>({ prefix: ["job_checkpoint", id] })) {
    for await (const { value: user } of kv.list<string>({ prefix: ["start", checkpoint] }, { limit: 1 })) {
      throw new CheckpointInUseError(checkpoint, user);
    }
  }
  const operation = kv.atomic().check(entry, guard, deleting)
    .delete(entry.key).delete(keys.ready(id)).set(keys.deleting(id), now());
  updateIndexes(operation, entry.value, null);
  const source = sourceOf(job);
  if (source !== null) operation.delete(keys.start(source, id));
  return (await operation.commit()).ok || undefined;
}

/** Removes the rows of a job's checkpoints. The same commits record their objects as garbage. */
async function discardCheckpoints(kv: Deno.Kv, id: string): Promise<void> {
  while (true) {
    const count = await withRetry(async () => {
      const entries = await Array.fromAsync(
        kv.list<string>({ prefix: ["job_checkpoint", id] }, { limit: CHECKPOINTS_PER_COMMIT }),
      );
      const operation = kv.atomic();
      for (const { key, value } of entries) {
        const row = (await kv.get<Checkpoint>(keys.checkpoint(value))).value;
        if (row === null) operation.delete(key);
        else discardCheckpoint(operation, row);
      }
      if (entries.length > 0 && !(await operation.commit()).ok) return undefined;
      return entries.length;
    });
    if (count < CHECKPOINTS_PER_COMMIT) return;
  }
}

/** Deletes all rows of a list, in commits of limited size. */
async function removeAll(kv: Deno.Kv, entries: AsyncIterable<Deno.KvEntry<unknown>>): Promise<void> {
  let pending: Deno.KvKey[] = [];
  const flush = async () => {
    const batch = pending;
    pending = [];
    if (batch.length === 0) return;
    await withRetry(async () => {
      const operation = kv.atomic();
      for (const key of batch) operation.delete(key);
      return (await operation.commit()).ok || undefined;
    });
  };
  for await (const { key } of entries) {
    pending.push(key);
    if (pending.length >= ROWS_PER_COMMIT) await flush();
  }
  await flush();
}
