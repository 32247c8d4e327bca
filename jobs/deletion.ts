/**
 * How a job goes: at once for everybody who looks, then row by row.
 *
 * @module
 */
import { JobNotFoundError, type JobsDatabase } from "./change.ts";
import { updateIndexes } from "./indexes.ts";
import type { Checkpoint, JobStatus } from "./job.ts";
import { persistently } from "./kv.ts";
import { type JobRow, keys, sourceOf } from "./rows.ts";

/** The job is running or paused and cannot be deleted yet. */
export class JobUnfinishedError extends Error {
  override readonly name = "JobUnfinishedError";
  constructor(readonly id: string, readonly status: JobStatus) {
    super(`Cannot delete a job that is ${status}: cancel it first`);
  }
}

/** A job that is not finished starts from one of the checkpoints. */
export class CheckpointInUseError extends Error {
  override readonly name = "CheckpointInUseError";
  constructor(readonly checkpointId: string, readonly jobId: string) {
    super(`Cannot delete checkpoint '${checkpointId}': job '${jobId}' starts from it and is not finished`);
  }
}

/** Rows removed in one commit. */
const CHUNK = 500;

/**
 * Deletes a queued or finished job with its events, metrics and checkpoint rows. A deletion that was cut off is
 * finished by deleting the job again.
 *
 * @returns the keys of the objects that nothing refers to now, for the caller to remove
 * @throws {JobNotFoundError} @throws {JobUnfinishedError} @throws {CheckpointInUseError}
 */
export async function deleteJob(database: JobsDatabase, id: string): Promise<{ objectKeys: string[] }> {
  const { kv } = database;
  await persistently(() => withdraw(database, id));
  database.changed(id);
  for (const table of ["event", "steps", "epoch"]) {
    await removeAll(kv, kv.list({ prefix: [table, id] }), ({ key }) => [key]);
  }
  const objectKeys: string[] = [];
  await removeAll(kv, kv.list<string>({ prefix: ["job_checkpoint", id] }), async ({ key, value }) => {
    const checkpoint = keys.checkpoint(value);
    const row = (await kv.get<Checkpoint>(checkpoint)).value;
    if (row !== null) objectKeys.push(row.objectKey, ...(row.stateKey === null ? [] : [row.stateKey]));
    return [checkpoint, key];
  });
  await persistently(() =>
    kv.atomic().delete(keys.guard(id)).delete(keys.deleting(id)).commit().then(({ ok }) => ok || undefined)
  );
  return { objectKeys };
}

/** Takes the job itself away; true when done, undefined when somebody came between. */
async function withdraw({ kv, now }: JobsDatabase, id: string): Promise<true | undefined> {
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
  if (job.status === "running" || job.status === "paused") throw new JobUnfinishedError(id, job.status);
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

async function removeAll<T>(
  kv: Deno.Kv,
  entries: AsyncIterable<Deno.KvEntry<T>>,
  keysOf: (entry: Deno.KvEntry<T>) => Deno.KvKey[] | Promise<Deno.KvKey[]>,
): Promise<void> {
  let pending: Deno.KvKey[] = [];
  const flush = async () => {
    const batch = pending;
    pending = [];
    if (batch.length === 0) return;
    await persistently(async () => {
      const operation = kv.atomic();
      for (const key of batch) operation.delete(key);
      return (await operation.commit()).ok || undefined;
    });
  };
  for await (const entry of entries) {
    pending.push(...await keysOf(entry));
    if (pending.length >= CHUNK - 1) await flush();
  }
  await flush();
}
