/**
 * Objects of checkpoints that must go, or would have to: a row for each is in the database before the object is
 * written, and from the commit on that removes the last row that names it. A process that is killed at any moment
 * leaves no object without such a row.
 *
 * @module
 */
import type { ObjectStore } from "../data/objects/store.ts";
import type { Checkpoint } from "./job.ts";
import { persistently } from "./kv.ts";
import { type GarbageRow, keys, type Lease } from "./rows.ts";

/** Keys of a checkpoint's objects. */
export function objectKeysOf({ objectKey, stateKey }: Pick<Checkpoint, "objectKey" | "stateKey">): string[] {
  return stateKey === null ? [objectKey] : [objectKey, stateKey];
}

/** Removes a checkpoint's rows and notes its objects as garbage, in a commit of the caller's. */
export function condemn(operation: Deno.AtomicOperation, checkpoint: Checkpoint): void {
  const { id, jobId } = checkpoint;
  operation.delete(keys.checkpoint(id)).delete(keys.jobCheckpoint(jobId, id));
  for (const key of objectKeysOf(checkpoint)) {
    operation.set(keys.garbage(jobId, key), { token: null } satisfies GarbageRow);
  }
}

/**
 * Notes objects that a run is about to write, in a commit of the caller's: they are garbage unless the run that holds
 * the lease records them.
 */
export function announce(
  operation: Deno.AtomicOperation,
  jobId: string,
  token: string,
  objectKeys: readonly string[],
): void {
  for (const key of objectKeys) operation.set(keys.garbage(jobId, key), { token } satisfies GarbageRow);
}

/** Takes the note back in the commit that records a checkpoint. */
export function adopt(
  operation: Deno.AtomicOperation,
  checkpoint: Pick<Checkpoint, "jobId" | "objectKey" | "stateKey">,
): void {
  for (const key of objectKeysOf(checkpoint)) operation.delete(keys.garbage(checkpoint.jobId, key));
}

/**
 * Deletes the objects that are noted as garbage, and then the notes. What the run that holds the job's lease is writing
 * stays.
 *
 * @param jobId of one job alone; of all when absent
 * @returns keys of the objects deleted
 */
export async function collectGarbage(kv: Deno.Kv, objects: ObjectStore, jobId?: string): Promise<string[]> {
  const prefix = jobId === undefined ? ["garbage"] : ["garbage", jobId];
  const noted = await persistently(() => Array.fromAsync(kv.list<GarbageRow>({ prefix })));
  const deleted: string[] = [];
  for (const { key } of noted) {
    const [, owner, objectKey] = key as [string, string, string];
    if (!await persistently(() => claimed(kv, key, owner))) continue;
    await objects.delete(objectKey);
    await persistently(() => kv.delete(key).then(() => true));
    deleted.push(objectKey);
  }
  return deleted;
}

/**
 * True once nothing can record the object any more: the run that announced it has lost its lease, and tokens of leases
 * never come back. False when it is recorded, or may still be.
 */
async function claimed(kv: Deno.Kv, key: Deno.KvKey, jobId: string): Promise<boolean | undefined> {
  const [row, lease] = await kv.getMany<[GarbageRow, Lease]>([key, keys.lease(jobId)]);
  if (row.value === null) return false;
  const { token } = row.value;
  if (token === null) return true;
  if (token === lease.value?.token) return false;
  const operation = kv.atomic().check(row, lease).set(key, { token: null } satisfies GarbageRow);
  return (await operation.commit()).ok || undefined;
}
