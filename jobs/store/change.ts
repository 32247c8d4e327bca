/**
 * Changes to a job: read, decide, and commit atomically. All rows that depend on the job change in the same commit.
 *
 * @module
 */
import { ulid } from "ulid";
import type { Job } from "../job.ts";
import { isFinished } from "../transitions.ts";
import { EVENT_LIMITS, type JobEvent, keepLatest, type NewEvent, numberEvents } from "./events/event.ts";
import { statusEvent } from "./events/statusEvent.ts";
import { sizeError } from "./kv/errors.ts";
import { withRetry } from "./kv/retry.ts";
import { INDEX_VERSION, updateIndexes } from "./rows/indexes.ts";
import { type CommitPart, type JobRow, keys, type Lease, sourceOf } from "./rows/keys.ts";

/** The database of jobs, with a clock and callbacks. */
export interface JobsDatabase {
  readonly kv: Deno.Kv;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called after each change of a job. */
  readonly changed: (id: string) => void;
  /** Called after each commit that queues a job. */
  readonly queued: () => void;
}

/** A change to a job. */
export interface JobChange {
  /** The job after the change. */
  readonly job: Job;
  readonly events?: readonly NewEvent[];
  /** The lease of a job that starts to run. */
  readonly lease?: Lease;
  /** Why a job was interrupted. Absent when its runner was lost or shut down. */
  readonly cause?: string;
  /** Adds further rows to the commit. */
  readonly addRows?: CommitPart;
}

/** There is no job with that id. */
export class JobNotFoundError extends Error {
  override readonly name = "JobNotFoundError";
  constructor(readonly id: string) {
    super(`There is no job '${id.slice(0, 80)}'`);
  }
}

/** Number of change ids that a job row keeps. */
const WRITES_KEPT = 8;

/** Adds the rows of a new job to a commit. @param write id of the change */
export function insertJob(operation: Deno.AtomicOperation, job: Job, write: string): void {
  const { seq, events } = numberEvents(0, [statusEvent(job)], job.createdAt);
  const row: JobRow = { job, seq, writes: [write], progressSeqs: [], logs: 0, indexVersion: INDEX_VERSION };
  operation.set(keys.job(job.id), row).set(keys.ready(job.id), job.id);
  updateIndexes(operation, null, job);
  for (const event of events) operation.set(keys.event(job.id, event.seq), event);
}

/**
 * Changes a job in one atomic commit. `plan` receives the current row and lease, and returns null to change nothing. It
 * is called again after a conflict with another writer. The rows of indexes, queue and lease and the status event are
 * derived from the statuses before and after.
 *
 * A commit may have been applied although its answer was lost. In that case the row contains the id of the change, and
 * the change is not applied a second time.
 *
 * @param remainingMs returns the milliseconds left for retries in an outage, see `withRetry`
 * @returns the job after the change; null when `plan` returned null
 * @throws {JobNotFoundError} @throws {RowTooLargeError} and the errors of `plan`
 */
export function changeJob(
  database: JobsDatabase,
  id: string,
  plan: (row: JobRow, lease: Lease | null) => JobChange | null | Promise<JobChange | null>,
  remainingMs?: () => number,
): Promise<Job | null> {
  const { kv } = database;
  const write = ulid();
  return withRetry(async () => {
    const [entry, lease] = await kv.getMany<[JobRow, Lease]>([keys.job(id), keys.lease(id)]);
    const row = entry.value;
    if (row?.writes.includes(write)) return row.job;
    if (row === null) throw new JobNotFoundError(id);
    const change = await plan(row, lease.value);
    if (change === null) return null;
    const operation = kv.atomic().check(entry, lease);
    addChange(database, operation, row, change, write);
    const { ok } = await operation.commit().catch((error) => {
      throw sizeError(error);
    });
    if (ok) database.changed(id);
    if (ok && change.job.status === "queued" && row.job.status !== "queued") database.queued();
    return ok ? change.job : undefined;
  }, remainingMs);
}

/** Adds the rows of a change to a commit: the job, its events, its indexes, and the rows that its status requires. */
function addChange(
  database: JobsDatabase,
  operation: Deno.AtomicOperation,
  row: JobRow,
  change: JobChange,
  write: string,
): void {
  const { job } = change, { id } = job;
  const newEvents = [
    ...(job.status === row.job.status ? [] : [statusEvent(job, change.cause)]),
    ...(change.events ?? []),
  ];
  const time = new Date(database.now()).toISOString();
  const { seq, events, logs } = numberEvents(row.seq, newEvents, time, row.logs);
  const progress = keepLatest(row.progressSeqs, events, "progress", EVENT_LIMITS.progress);
  const checkpoints = keepLatest(row.checkpointSeqs ?? [], events, "checkpoint", EVENT_LIMITS.checkpoints);
  const next: JobRow = {
    job,
    seq,
    writes: [...row.writes.slice(1 - WRITES_KEPT), write],
    progressSeqs: progress.kept,
    checkpointSeqs: checkpoints.kept,
    logs,
    indexVersion: INDEX_VERSION,
  };
  operation.set(keys.job(id), next);
  for (const event of events) operation.set(keys.event(id, event.seq), event satisfies JobEvent);
  for (const old of [...progress.dropped, ...checkpoints.dropped]) operation.delete(keys.event(id, old));
  updateIndexes(operation, row, job);
  if (job.status !== row.job.status) addStatusRows(operation, row.job, change);
  change.addRows?.(operation);
}

/** Adds to a commit the rows that depend on a job's status: queue, lease and use of a checkpoint. */
function addStatusRows(
  operation: Deno.AtomicOperation,
  before: Job,
  { job, lease }: JobChange,
): void {
  if (before.status === "queued") operation.delete(keys.ready(job.id));
  if (before.status === "running") operation.delete(keys.lease(job.id));
  if (job.status === "queued") operation.set(keys.ready(job.id), job.id);
  if (job.status === "running") {
    if (lease === undefined) throw new TypeError(`Job '${job.id}' cannot run without a lease`);
    operation.set(keys.lease(job.id), lease);
  }
  const source = sourceOf(job);
  if (source !== null && isFinished(job.status)) operation.delete(keys.start(source, job.id));
}
