/**
 * The rows of the database: their keys and values.
 *
 * | key | value |
 * |---|---|
 * | `["job", id]` | {@linkcode JobRow} |
 * | `["jobs_by_status", status, id]`, `["jobs_by_kind", kind, id]`, `["jobs_by_both", kind, status, id]` | id |
 * | `["job_count", status]` | number of jobs with the status, a `Deno.KvU64`, see `indexes.ts` |
 * | `["dataset_job", datasetId, id]` | an unfinished job that reads the data set |
 * | `["dataset_deleting", datasetId]` | when its deletion began (milliseconds since 1970), see `datasetUse.ts` |
 * | `["index_version"]` | version of the indexes that every job has, see `indexes.ts` |
 * | `["ready", id]` | the queue; the row exists while the job is queued |
 * | `["lease", id]` | {@linkcode Lease}; the row exists while the job is running |
 * | `["event", id, seq]` | a `JobEvent` |
 * | `["steps", id, chunk]`, `["epoch", id, epoch]` | the loss series, see `metrics/chunks.ts` |
 * | `["checkpoint", id]`, `["job_checkpoint", jobId, id]` | a `Checkpoint`; its id |
 * | `["imported", id]` | the id of an imported checkpoint |
 * | `["start", checkpointId, jobId]` | an unfinished job that starts from the checkpoint |
 * | `["guard", owner]` | changed when a job starts from a checkpoint of the owner; a deletion checks it |
 * | `["deleting", jobId]` | when the deletion of the job began; removed at its end |
 * | `["garbage", owner, objectKey]` | {@linkcode GarbageRow}: an object to delete, see `checkpoints/garbage.ts` |
 * | `["idempotency", key]` | {@linkcode IdempotencyRow} |
 * | `["upload", key]`, `["import", key]` | {@linkcode UploadRow}: an idempotency key of a data set, of a checkpoint |
 *
 * Ids have ULIDs, so that keys are in order of creation. The owner of a checkpoint is its job, or the checkpoint itself
 * if it was imported.
 *
 * @module
 */
import type { Job, JobStatus } from "../../job.ts";

/** A job and the state of its other rows. Every change of the job writes this row, so concurrent changes conflict. */
export interface JobRow {
  readonly job: Job;
  /** Number of its latest event. */
  readonly seq: number;
  /** Ids of the latest changes. They show whether a commit was applied whose answer was lost. */
  readonly writes: readonly string[];
  /** Numbers of the stored progress events. */
  readonly progressSeqs: readonly number[];
  /** Numbers of the stored checkpoint events. Absent in rows of earlier versions, which keep all of them. */
  readonly checkpointSeqs?: readonly number[];
  /** Number of log events so far. */
  readonly logs: number;
  /** Version of the index rows that exist for the job. Absent in rows of versions before the counters. */
  readonly indexVersion?: number;
}

/** The lease of a claim. Only the run with this token can write. */
export interface Lease {
  /** Name of the runner, for the log. */
  readonly runner: string;
  readonly token: string;
  /** End of the lease, in milliseconds since 1970. */
  readonly until: number;
  /** Length of the lease, in milliseconds. Absent in rows of earlier versions. */
  readonly leaseMs?: number;
}

/** An object that is to be deleted. */
export interface GarbageRow {
  /** Token of the lease under which the object is written. The object is kept until that lease ends. Null for none. */
  readonly token: string | null;
  /**
   * Milliseconds since 1970 until which an import may record the object, see `checkpoints/imports.ts`. Absent for
   * others.
   */
  readonly until?: number;
}

/** The job that an idempotency key created. */
export interface IdempotencyRow {
  readonly jobId: string;
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The data set or the checkpoint that an idempotency key created or reserved. */
export interface UploadRow {
  /** Absent in rows of earlier versions, which have `datasetId`. */
  readonly id?: string;
  /** The id in rows of earlier versions. */
  readonly datasetId?: string;
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Milliseconds since 1970 until which a request may store the upload; null once it is stored. */
  readonly until: number | null;
}

/** The tables of idempotency keys of uploads: data sets, and imported checkpoints. */
export type UploadTable = "upload" | "import";

/** Adds checks and changes to a commit. */
export type CommitPart = (operation: Deno.AtomicOperation) => void;

/** Keys of the rows. */
export const keys = {
  job: (id: string) => ["job", id],
  jobCount: (status: JobStatus) => ["job_count", status],
  datasetJob: (datasetId: string, id: string) => ["dataset_job", datasetId, id],
  datasetDeleting: (datasetId: string) => ["dataset_deleting", datasetId],
  indexVersion: () => ["index_version"],
  ready: (id: string) => ["ready", id],
  lease: (id: string) => ["lease", id],
  event: (id: string, seq: number) => ["event", id, seq],
  steps: (id: string, chunk: number) => ["steps", id, chunk],
  epoch: (id: string, epoch: number) => ["epoch", id, epoch],
  checkpoint: (id: string) => ["checkpoint", id],
  jobCheckpoint: (jobId: string, id: string) => ["job_checkpoint", jobId, id],
  imported: (id: string) => ["imported", id],
  start: (checkpointId: string, jobId: string) => ["start", checkpointId, jobId],
  guard: (owner: string) => ["guard", owner],
  deleting: (jobId: string) => ["deleting", jobId],
  garbage: (owner: string, objectKey: string) => ["garbage", owner, objectKey],
  idempotency: (key: string) => ["idempotency", key],
  upload: (table: UploadTable, key: string) => [table, key],
} as const satisfies Record<string, (...parts: never[]) => Deno.KvKey>;

/** Returns the prefix of the index for a filter. Without a filter it is `["job"]`, the prefix of all jobs. */
export function indexPrefix(filter: { status?: JobStatus; kind?: string }): Deno.KvKey {
  const { status, kind } = filter;
  if (status && kind) return ["jobs_by_both", kind, status];
  if (status) return ["jobs_by_status", status];
  if (kind) return ["jobs_by_kind", kind];
  return ["job"];
}

/** Returns the keys of all index rows of a job. */
export function indexKeys(job: Job): Deno.KvKey[] {
  return [{ status: job.status }, { kind: job.kind }, { status: job.status, kind: job.kind }]
    .map((filter) => [...indexPrefix(filter), job.id]);
}

/** Returns the id of the checkpoint that a job starts from; null for none. */
export function sourceOf(job: Job): string | null {
  return "checkpoint" in job.request && typeof job.request.checkpoint === "string"
    ? job.request.checkpoint
    : null;
}
