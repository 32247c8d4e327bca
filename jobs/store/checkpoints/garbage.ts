/**
 * Garbage collection of the objects of checkpoints. An object has a garbage row before it is written, until a commit
 * records its checkpoint, and again after a commit has removed that checkpoint. Objects that a killed process leaves
 * behind therefore have such a row.
 *
 * @module
 */
import type { ObjectStore } from "../../../data/objects/store.ts";
import { objectKeysOf } from "../../artifacts/objectKeys.ts";
import { type Checkpoint, ownerOf } from "../../job.ts";
import type { JobsDatabase } from "../change.ts";
import { withRetry } from "../kv/retry.ts";
import { type GarbageRow, keys, type Lease } from "../rows/keys.ts";

/** Adds to a commit the removal of a checkpoint's rows, and the garbage rows of its objects. */
export function discardCheckpoint(operation: Deno.AtomicOperation, checkpoint: Checkpoint): void {
  const { id, jobId } = checkpoint;
  operation.delete(keys.checkpoint(id))
    .delete(jobId === null ? keys.imported(id) : keys.jobCheckpoint(jobId, id));
  for (const key of objectKeysOf(checkpoint)) {
    operation.set(keys.garbage(ownerOf(checkpoint), key), { token: null } satisfies GarbageRow);
  }
}

/**
 * Adds to a commit the garbage rows of objects that a run is about to write. They are garbage unless the run with the
 * lease records them.
 */
export function addGarbage(
  operation: Deno.AtomicOperation,
  jobId: string,
  token: string,
  objectKeys: readonly string[],
): void {
  for (const key of objectKeys) operation.set(keys.garbage(jobId, key), { token } satisfies GarbageRow);
}

/** Removes the garbage rows of a checkpoint in the commit that records it. */
export function removeGarbage(
  operation: Deno.AtomicOperation,
  checkpoint: Pick<Checkpoint, "id" | "jobId" | "objectKey" | "stateKey">,
): void {
  for (const key of objectKeysOf(checkpoint)) operation.delete(keys.garbage(ownerOf(checkpoint), key));
}

/**
 * Deletes the objects that have garbage rows, and then those rows. Objects that the current run of their job or an import
 * is writing are kept.
 *
 * @param of owner of the checkpoints whose objects are deleted; all owners when absent
 * @returns keys of the objects deleted
 */
export async function collectGarbage(
  { kv, now }: Pick<JobsDatabase, "kv" | "now">,
  objects: ObjectStore,
  of?: string,
): Promise<string[]> {
  const prefix = of === undefined ? ["garbage"] : ["garbage", of];
  const rows = await withRetry(() => Array.fromAsync(kv.list<GarbageRow>({ prefix })));
  const deleted: string[] = [];
  for (const { key } of rows) {
    const [, owner, objectKey] = key as [string, string, string];
    if (!await withRetry(() => confirmGarbage(kv, key, owner, now()))) continue;
    await objects.delete(objectKey);
    await withRetry(() => kv.delete(key).then(() => true));
    deleted.push(objectKey);
  }
  return deleted;
}

/**
 * Returns true when no run and no import can record the object any more: the lease of the run that declared it has
 * ended, and lease tokens are never reused, or the time of the import is over. Returns false when the object is recorded
 * or can still be recorded.
 */
async function confirmGarbage(
  kv: Deno.Kv,
  key: Deno.KvKey,
  owner: string,
  now: number,
): Promise<boolean | undefined> {
  const [row, lease] = await kv.getMany<[GarbageRow, Lease]>([key, keys.lease(owner)]);
  if (row.value === null) return false;
  const { token, until } = row.value;
  if (until !== undefined ? isImporting(until, now) : token !== null && token === lease.value?.token) {
    return false;
  }
  if (until === undefined && token === null) return true;
  const operation = kv.atomic().check(row, lease).set(key, { token: null } satisfies GarbageRow);
  return (await operation.commit()).ok || undefined;
}

/** The end of a reservation that is further ahead, in milliseconds, was recorded before the clock was set back. */
const MAX_AHEAD_MS = 3_600_000;

/** Returns whether an import may still record its object. @param until end of its reservation */
export function isImporting(until: number, now: number): boolean {
  return until > now && until - now <= MAX_AHEAD_MS;
}
