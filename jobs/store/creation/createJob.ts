/**
 * Creates jobs, each in one commit. An idempotency key creates only one job.
 *
 * @module
 */
import { monotonicFactory } from "ulid";
import { type Checkpoint, type Job, ownerOf } from "../../job.ts";
import type { JobRequest } from "../../requests/commonFields.ts";
import { transition } from "../../transitions.ts";
import { insertJob, type JobsDatabase } from "../change.ts";
import { sizeError } from "../kv/errors.ts";
import { withRetry } from "../kv/retry.ts";
import { type IdempotencyRow, type JobRow, keys, sourceOf } from "../rows/keys.ts";
import { checkDataset } from "./datasetUse.ts";
import { IDEMPOTENCY_KEY_LENGTH, IDEMPOTENCY_MS, IdempotencyConflictError } from "./idempotency.ts";

/** Options of a new job. */
export interface CreateOptions {
  /** A repeated request with the same key within 24 hours creates no second job. */
  readonly idempotencyKey?: string;
  /** Hash of the request. The same key with another fingerprint is a conflict. */
  readonly fingerprint?: string;
}

/** There is no checkpoint with that id. */
export class CheckpointNotFoundError extends Error {
  override readonly name = "CheckpointNotFoundError";
  constructor(readonly id: string) {
    super(`There is no checkpoint '${id.slice(0, 80)}'`);
  }
}

const nextUlid = monotonicFactory();

/**
 * Creates and queues a job, or finds the job that the same idempotency key created before.
 *
 * @throws {IdempotencyConflictError} @throws {CheckpointNotFoundError}
 * @throws {DatasetError} when its data set is being deleted
 * @throws {TypeError} for a request that names a source job; `resolveSource` replaces it by a checkpoint
 */
export function createJob(
  database: JobsDatabase,
  request: JobRequest,
  options: CreateOptions = {},
): Promise<{ job: Job; created: boolean }> {
  const { kv, now } = database;
  const { idempotencyKey: key, fingerprint = "" } = options;
  if (key !== undefined && (key.length < 1 || key.length > IDEMPOTENCY_KEY_LENGTH)) {
    throw new RangeError(
      `An idempotency key must have 1 to ${IDEMPOTENCY_KEY_LENGTH} characters: this one has ${key.length}`,
    );
  }
  if ("job" in request && request.job !== undefined) {
    throw new TypeError("The request names a source job: it must be replaced by a checkpoint first");
  }
  if (request.changes !== undefined) {
    throw new TypeError("The request has changes: they must be replaced by the whole configuration first");
  }
  const createdAt = now();
  const id = `job_${nextUlid()}`;
  const job = transition(null, { type: "created", id, request }, createdAt);
  const source = sourceOf(job);

  return withRetry(async () => {
    // The row exists if an earlier attempt was applied and its answer was lost.
    const entry = await kv.get<JobRow>(keys.job(id));
    if (entry.value !== null) return { job: entry.value.job, created: true };
    const operation = kv.atomic().check(entry);

    if (key !== undefined) {
      const keyRow = await kv.get<IdempotencyRow>(keys.idempotency(key));
      if (keyRow.value !== null && isRecent(keyRow.value, createdAt)) {
        const earlier = await kv.get<JobRow>(keys.job(keyRow.value.jobId));
        if (earlier.value !== null) {
          if (keyRow.value.fingerprint !== fingerprint) throw new IdempotencyConflictError(key);
          return { job: earlier.value.job, created: false };
        }
      }
      const row: IdempotencyRow = { jobId: id, fingerprint, at: createdAt };
      operation.check(keyRow).set(keys.idempotency(key), row, { expireIn: IDEMPOTENCY_MS });
    }
    await checkDataset(kv, operation, request.dataset.id, createdAt);
    if (source !== null) await lockSource(kv, operation, source, id);
    insertJob(operation, job, id);
    const { ok } = await operation.commit().catch((error) => {
      throw sizeError(error);
    });
    if (ok) database.queued();
    return ok ? { job, created: true } : undefined;
  });
}

/**
 * Returns the job that an idempotency key has created; null when there is none.
 *
 * @throws {IdempotencyConflictError} when it was created by another request
 */
export async function findCreated(
  { kv, now }: JobsDatabase,
  key: string,
  fingerprint: string,
): Promise<Job | null> {
  const { value } = await withRetry(() => kv.get<IdempotencyRow>(keys.idempotency(key)));
  if (value === null || !isRecent(value, now())) return null;
  const job = (await withRetry(() => kv.get<JobRow>(keys.job(value.jobId)))).value?.job ?? null;
  if (job !== null && value.fingerprint !== fingerprint) throw new IdempotencyConflictError(key);
  return job;
}

/** Returns true while a key is valid. A time far in the future was recorded before the clock was set back. */
function isRecent({ at }: IdempotencyRow, now: number): boolean {
  return Math.abs(now - at) < IDEMPOTENCY_MS;
}

/** Adds to a commit the row that prevents the deletion of the checkpoint from which the new job starts. */
async function lockSource(
  kv: Deno.Kv,
  operation: Deno.AtomicOperation,
  source: string,
  jobId: string,
): Promise<void> {
  const checkpoint = await kv.get<Checkpoint>(keys.checkpoint(source));
  if (checkpoint.value === null) throw new CheckpointNotFoundError(source);
  const owner = ownerOf(checkpoint.value);
  const [guard, deleting] = await kv.getMany([keys.guard(owner), keys.deleting(owner)]);
  if (deleting.value !== null) throw new CheckpointNotFoundError(source);
  operation.check(checkpoint, guard, deleting)
    .set(keys.guard(owner), jobId)
    .set(keys.start(source, jobId), jobId);
}
