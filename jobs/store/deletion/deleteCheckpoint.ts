/**
 * Deletes imported checkpoints. The checkpoints of jobs are deleted with their jobs.
 *
 * @module
 */
import type { ObjectStore } from "../../../data/objects/store.ts";
import type { Checkpoint } from "../../job.ts";
import type { JobsDatabase } from "../change.ts";
import { collectGarbage, discardCheckpoint } from "../checkpoints/garbage.ts";
import { CheckpointNotFoundError } from "../creation/createJob.ts";
import { withRetry } from "../kv/retry.ts";
import { keys } from "../rows/keys.ts";
import { CheckpointInUseError } from "./deleteJob.ts";

/** The checkpoint belongs to a job. */
export class CheckpointOfJobError extends Error {
  override readonly name = "CheckpointOfJobError";
  constructor(readonly checkpointId: string, readonly jobId: string) {
    super(
      `Checkpoint '${checkpointId}' belongs to job '${jobId}' and is deleted with it: delete the job. ` +
        "Only imported checkpoints can be deleted alone",
    );
  }
}

/**
 * Deletes an imported checkpoint: first its rows, then its object. The sweep deletes the object after an interruption.
 *
 * @throws {CheckpointNotFoundError} @throws {CheckpointOfJobError} @throws {CheckpointInUseError}
 * @throws {StorageUnavailableError} when the object cannot be deleted at present
 */
export async function deleteCheckpoint(
  database: JobsDatabase,
  objects: ObjectStore,
  id: string,
): Promise<void> {
  await withRetry(() => deleteRows(database.kv, id));
  await collectGarbage(database, objects, id);
}

/** Deletes the rows. Returns true on success, undefined after a conflict with another change. */
async function deleteRows(kv: Deno.Kv, id: string): Promise<true | undefined> {
  // The guard is read before the jobs that start from the checkpoint. A job that is created in between changes it.
  const [entry, guard] = await kv.getMany<[Checkpoint, string]>([keys.checkpoint(id), keys.guard(id)]);
  const checkpoint = entry.value;
  if (checkpoint === null) {
    // An earlier deletion may have been interrupted before its object was deleted.
    for await (const _row of kv.list({ prefix: ["garbage", id] }, { limit: 1 })) return true;
    throw new CheckpointNotFoundError(id);
  }
  if (checkpoint.jobId !== null) throw new CheckpointOfJobError(id, checkpoint.jobId);
  for await (const { value: user } of kv.list<string>({ prefix: ["start", id] }, { limit: 1 })) {
    throw new CheckpointInUseError(id, user);
  }
  const operation = kv.atomic().check(entry, guard).delete(guard.key);
  discardCheckpoint(operation, checkpoint);
  return (await operation.commit()).ok || undefined;
}
