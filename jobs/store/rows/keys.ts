/**
 * The rows of the database: their keys and values, in one place.
 *
 * | key | value |
 * |---|---|
 * | `["job", id]` | {@linkcode JobRow} |
 * | `["jobs_by_status", status, id]`, `["jobs_by_kind", kind, id]`, `["jobs_by_both", kind, status, id]` | id |
 * | `["job_count", status]` | number of jobs in the state, a `Deno.KvU64`, see `indexes.ts` |
 * | `["dataset_job", datasetId, id]` | an unfinished job that reads the data set |
 * | `["dataset_deleting", datasetId]` | when its deletion began, in milliseconds since 1970, see `datasetUse.ts` |
 * | `["index_version"]` | version of the indexes that every job has, see `indexes.ts` |
 * | `["ready", id]` | the waiting list: a row exactly while the job is queued |
 * | `["lease", id]` | {@linkcode Lease}: a row exactly while the job is running |
 * | `["event", id, seq]` | a `JobEvent` |
 * | `["steps", id, chunk]`, `["epoch", id, epoch]` | the loss series, see `metrics.ts` |
 * | `["checkpoint", id]`, `["job_checkpoint", jobId, id]` | a `Checkpoint`; its id |
 * | `["start", checkpointId, jobId]` | an unfinished job that starts from the checkpoint |
 * | `["guard", jobId]` | changed by whoever starts from a job's checkpoint or deletes the job, so that one of the two wins |
 * | `["deleting", jobId]` | a deletion that has begun; removed once nothing is left of the job |
 * | `["garbage", jobId, objectKey]` | {@linkcode GarbageRow}: an object to delete, see `garbage.ts` |
 * | `["idempotency", key]` | {@linkcode IdempotencyRow} |
 * | `["upload", key]` | {@linkcode UploadRow}: an idempotency key of a data set |
 *
 * Job ids are ULIDs, so that the order of keys is the order of creation.
 *
 * @module
 */
import type { Job, JobStatus } from "../../job.ts";
import type { JobKind } from "../../requests/schemas.ts";

/** A job with what its writers need to know. Every change to anything of a job changes this row. */
export interface JobRow {
  readonly job: Job;
  /** Number of its latest event. */
  readonly seq: number;
  /** Ids of the latest changes: how a change whose answer was lost is found to have been made. */
  readonly writes: readonly string[];
  /** Numbers of the progress events kept. */
  readonly progressSeqs: readonly number[];
  /** Numbers of the checkpoint events kept. Absent in rows of earlier versions, whose events are all kept. */
  readonly checkpointSeqs?: readonly number[];
  /** Log events written so far. */
  readonly logs: number;
  /** Version of the index rows that exist for the job. Absent in rows of versions before the counters. */
  readonly indexVersion?: number;
}

/** A runner's right to a job. Whoever holds the token may write. */
export interface Lease {
  readonly runner: string;
  readonly token: string;
  /** Milliseconds since 1970 after which the runner counts as lost. */
  readonly until: number;
  /** Length of the lease, in milliseconds. Absent in rows of earlier versions. */
  readonly leaseMs?: number;
}

/** An object to delete. */
export interface GarbageRow {
  /** Token of the lease under which the object is written. It is kept while the lease is held; null: delete it. */
  readonly token: string | null;
}

/** A request seen before. */
export interface IdempotencyRow {
  readonly jobId: string;
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** An upload that used an idempotency key. */
export interface UploadRow {
  readonly datasetId: string;
  readonly fingerprint: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Milliseconds since 1970 until which a request may store the data set; null once it is stored. */
  readonly until: number | null;
}

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
  start: (checkpointId: string, jobId: string) => ["start", checkpointId, jobId],
  guard: (jobId: string) => ["guard", jobId],
  deleting: (jobId: string) => ["deleting", jobId],
  garbage: (jobId: string, objectKey: string) => ["garbage", jobId, objectKey],
  idempotency: (key: string) => ["idempotency", key],
  upload: (key: string) => ["upload", key],
} as const satisfies Record<string, (...parts: never[]) => Deno.KvKey>;

/** Prefix of the index that answers a filter; the full list is under `["job"]` itself. */
export function indexPrefix(filter: { status?: JobStatus; kind?: JobKind }): Deno.KvKey {
  const { status, kind } = filter;
  if (status && kind) return ["jobs_by_both", kind, status];
  if (status) return ["jobs_by_status", status];
  if (kind) return ["jobs_by_kind", kind];
  return ["job"];
}

/** Every index row of a job. */
export function indexKeys(job: Job): Deno.KvKey[] {
  return [{ status: job.status }, { kind: job.kind }, { status: job.status, kind: job.kind }]
    .map((filter) => [...indexPrefix(filter), job.id]);
}

/** The checkpoint that a job starts from, if any. */
export function sourceOf(job: Job): string | null {
  return "checkpoint" in job.request && typeof job.request.checkpoint === "string"
    ? job.request.checkpoint
    : null;
}
