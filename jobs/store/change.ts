/**
 * The one way in which a job changes: read, decide, commit if nobody came between, and know afterwards whether it
 * was done.
 *
 * @module
 */
import { ulid } from "ulid";
import { EVENT_LIMITS, type JobEvent, type NewEvent, numberEvents, withLatest } from "./events/event.ts";
import { statusEvent } from "./events/statusEvent.ts";
import { INDEX_VERSION, updateIndexes } from "./rows/indexes.ts";
import type { Job } from "../job.ts";
import { withRetry } from "./kv/retry.ts";
import { type JobRow, keys, type Lease, sourceOf } from "./rows/keys.ts";
import { sizeError } from "./kv/errors.ts";
import { isFinished } from "../transitions.ts";

/** What a change needs of its surroundings. */
export interface JobsDatabase {
  readonly kv: Deno.Kv;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Ring `kv.enqueue` when a job becomes ready: local KV only, a remote one has no queues. */
  readonly doorbell: boolean;
  /** Called after each change of a job. */
  readonly changed: (id: string) => void;
}

/** What is to become of a job. */
export interface JobChange {
  readonly job: Job;
  readonly events?: readonly NewEvent[];
  /** The lease, for a job that begins to run. */
  readonly lease?: Lease;
  /** Why a job goes back to the queue. Absent when its runner was lost or shut down. */
  readonly cause?: string;
  /** Further rows of the same commit. */
  readonly also?: (operation: Deno.AtomicOperation) => void;
}

/** No job of that id. */
export class JobNotFoundError extends Error {
  override readonly name = "JobNotFoundError";
  constructor(readonly id: string) {
    super(`There is no job '${id.slice(0, 80)}'`);
  }
}

const WRITES_KEPT = 8;

/** Message of the doorbell; whoever hears it looks at the waiting list. */
export const DOORBELL = { type: "unmask_job_ready" } as const;

/** Adds the doorbell to a commit; a message is tried once, since the list is polled anyway. */
export function ring(database: JobsDatabase, operation: Deno.AtomicOperation): void {
  if (database.doorbell) operation.enqueue(DOORBELL, { backoffSchedule: [], keysIfUndelivered: [] });
}

/** The first row of a new job with its indexes. */
export function insertJob(operation: Deno.AtomicOperation, job: Job, write: string): void {
  const { seq, events } = numberEvents(0, [statusEvent(job)], job.createdAt);
  const row: JobRow = { job, seq, writes: [write], progressSeqs: [], logs: 0, indexVersion: INDEX_VERSION };
  operation.set(keys.job(job.id), row).set(keys.ready(job.id), job.id);
  updateIndexes(operation, null, job);
  for (const event of events) operation.set(keys.event(job.id, event.seq), event);
}

/**
 * Changes a job in one atomic commit. `plan` sees the present row and lease and may be called again when somebody
 * came between; it returns null to leave everything as it is. Indexes, waiting list, lease and the event about a
 * new state follow from the state before and after.
 *
 * A change whose answer is lost (`commit` threw, or said no although it was done) is recognised by its id in the
 * row, and not done twice.
 *
 * @param forMs how long the change is tried while the database is unavailable; see `withRetry`
 * @returns the job after the change; null when `plan` declined
 * @throws {JobNotFoundError} @throws {RowTooLargeError} and the errors of `plan`
 */
export function changeJob(
  database: JobsDatabase,
  id: string,
  plan: (row: JobRow, lease: Lease | null) => JobChange | null | Promise<JobChange | null>,
  forMs?: () => number,
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

    const before = row.job;
    const { job } = change;
    const news = [
      ...(job.status === before.status ? [] : [statusEvent(job, change.cause)]),
      ...(change.events ?? []),
    ];
    const { seq, events, logs } = numberEvents(
      row.seq,
      news,
      new Date(database.now()).toISOString(),
      row.logs,
    );
    const progress = withLatest(row.progressSeqs, events, "progress", EVENT_LIMITS.progress);
    const checkpoints = withLatest(
      row.checkpointSeqs ?? [],
      events,
      "checkpoint",
      EVENT_LIMITS.checkpoints,
    );
    const next: JobRow = {
      job,
      seq,
      writes: [...row.writes.slice(1 - WRITES_KEPT), write],
      progressSeqs: progress.kept,
      checkpointSeqs: checkpoints.kept,
      logs,
      indexVersion: INDEX_VERSION,
    };
    const operation = kv.atomic().check(entry, lease).set(keys.job(id), next);
    for (const event of events) operation.set(keys.event(id, event.seq), event satisfies JobEvent);
    for (const old of [...progress.dropped, ...checkpoints.dropped]) operation.delete(keys.event(id, old));
    updateIndexes(operation, row, job);
    if (job.status !== before.status) follow(database, operation, before, change);
    change.also?.(operation);
    const { ok } = await operation.commit().catch((error) => {
      throw sizeError(error);
    });
    if (ok) database.changed(id);
    return ok ? job : undefined;
  }, forMs);
}

/** The rows that a new state brings with it. */
function follow(
  database: JobsDatabase,
  operation: Deno.AtomicOperation,
  before: Job,
  { job, lease }: JobChange,
): void {
  if (before.status === "queued") operation.delete(keys.ready(job.id));
  if (before.status === "running") operation.delete(keys.lease(job.id));
  if (job.status === "queued") {
    operation.set(keys.ready(job.id), job.id);
    ring(database, operation);
  }
  if (job.status === "running") {
    if (lease === undefined) throw new TypeError(`A job that runs needs a lease: ${job.id} was given none`);
    operation.set(keys.lease(job.id), lease);
  }
  const source = sourceOf(job);
  if (source !== null && isFinished(job.status)) operation.delete(keys.start(source, job.id));
}
