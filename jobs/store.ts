/**
 * Jobs and their checkpoints in Deno KV, as the API sees them.
 *
 * @module
 */
import { changeJob, type JobsDatabase } from "./change.ts";
import { createJob, type CreateOptions, findCreated } from "./creation.ts";
import { deleteJob } from "./deletion.ts";
import { followEvents, type JobEvent, pageEvents } from "./events.ts";
import { type Checkpoint, type Job, JOB_STATUSES, type JobStatus } from "./job.ts";
import { persistently } from "./kv.ts";
import { type JobMetrics, type MetricsQuery, readMetrics } from "./metrics.ts";
import { indexPrefix, type JobRow, keys } from "./rows.ts";
import type { JobKind, JobRequest } from "./schemas.ts";
import { transition } from "./transitions.ts";

export { JobNotFoundError } from "./change.ts";
export { CheckpointNotFoundError, type CreateOptions, IdempotencyConflictError } from "./creation.ts";
export { CheckpointInUseError, JobUnfinishedError } from "./deletion.ts";
export { InvalidTransitionError } from "./transitions.ts";

/** Most jobs or checkpoints of a page. */
export const PAGE_LIMIT = 1000;

/** Which jobs are wanted. */
export interface JobQuery {
  readonly status?: JobStatus;
  readonly kind?: JobKind;
  /** 1 to 1000; 20 when absent. */
  readonly limit?: number;
  /** Only jobs older than this one (the last id of the page before). */
  readonly after?: string;
}

/** A page of a list. `next` is what to give as `after`; null at the end. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
  readonly next: string | null;
}

/** How a store is opened. */
export interface JobStoreOptions {
  /** Ring the in-process doorbell when a job becomes ready: for a local KV only. Off when absent. */
  readonly doorbell?: boolean;
  /** The clock, milliseconds since 1970. */
  readonly now?: () => number;
}

/** Jobs in Deno KV. Every change is one atomic commit; any number of processes may share the database. */
export class JobStore implements JobsDatabase {
  readonly doorbell: boolean;
  readonly now: () => number;

  constructor(readonly kv: Deno.Kv, options: JobStoreOptions = {}) {
    this.doorbell = options.doorbell ?? false;
    this.now = options.now ?? Date.now;
  }

  /**
   * Creates a job and puts it in the queue; `created` is false when the same idempotency key created it before.
   *
   * @throws {IdempotencyConflictError} @throws {CheckpointNotFoundError}
   */
  create(request: JobRequest, options: CreateOptions = {}): Promise<{ job: Job; created: boolean }> {
    return createJob(this, request, options);
  }

  /**
   * The job that an idempotency key has created; null when there is none.
   *
   * @throws {IdempotencyConflictError} when it was created by another request
   */
  findCreated(key: string, fingerprint: string): Promise<Job | null> {
    return findCreated(this, key, fingerprint);
  }

  /** A job; null when there is none of that id. */
  async get(id: string): Promise<Job | null> {
    return (await persistently(() => this.kv.get<JobRow>(keys.job(id)))).value?.job ?? null;
  }

  /** Jobs, newest first. A page is short only at the end. @throws {RangeError} for a limit outside 1 to 1000 */
  list(query: JobQuery = {}): Promise<Page<Job>> {
    const { status, kind, limit = 20, after } = query;
    checkLimit(limit);
    const prefix = indexPrefix({ status, kind });
    const fits = (job: Job) =>
      (status === undefined || job.status === status) && (kind === undefined || job.kind === kind);
    return this.#newestFirst(prefix, after, limit, async (id) => {
      const job = await this.get(id);
      // A job that changed its state between the index and the row is in another list now.
      return job !== null && fits(job) ? job : null;
    });
  }

  /**
   * Asks for a job's end: a queued one is cancelled at once, a running one by its runner within two seconds.
   *
   * @throws {JobNotFoundError} @throws {InvalidTransitionError} when it has ended already
   */
  async cancel(id: string): Promise<Job> {
    const job = await changeJob(this, id, ({ job }) => ({
      job: transition(job, { type: "cancel_requested" }, this.now()),
      events: job.status === "running" && job.cancelRequestedAt === null
        ? [{
          type: "status",
          level: "info",
          message: "Cancelling: its runner was asked to stop",
          data: { status: job.status, cancelRequested: true },
        }]
        : [],
    }));
    return job!;
  }

  /**
   * Deletes a queued or finished job with its events, metrics and checkpoint rows.
   *
   * @returns the keys of the objects that nothing refers to now, for the caller to remove from object storage
   * @throws {JobNotFoundError} @throws {JobUnfinishedError} @throws {CheckpointInUseError}
   */
  delete(id: string): Promise<{ objectKeys: string[] }> {
    return deleteJob(this, id);
  }

  /** A checkpoint; null when there is none of that id. */
  async getCheckpoint(id: string): Promise<Checkpoint | null> {
    return (await persistently(() => this.kv.get<Checkpoint>(keys.checkpoint(id)))).value;
  }

  /** A job's checkpoints, newest first. */
  listCheckpoints(jobId: string, query: { limit?: number; after?: string } = {}): Promise<Page<Checkpoint>> {
    const { limit = 100, after } = query;
    checkLimit(limit);
    return this.#newestFirst(["job_checkpoint", jobId], after, limit, (id) => this.getCheckpoint(id));
  }

  /** Events with numbers above `after`, oldest first, at most `limit` (1 to 1000). */
  events(jobId: string, query: { after?: number; limit?: number } = {}): Promise<JobEvent[]> {
    return pageEvents(this.kv, jobId, query.after, query.limit);
  }

  /** Events above `after` as they come, until the job is finished and all are told or the signal is aborted. */
  follow(jobId: string, after = 0, signal?: AbortSignal): AsyncGenerator<JobEvent, void> {
    return followEvents(this.kv, jobId, after, signal);
  }

  /** A part of the job's loss series. @throws {RangeError} for a query outside its limits */
  metrics(jobId: string, query: MetricsQuery = {}): Promise<JobMetrics> {
    return readMetrics(this.kv, jobId, query);
  }

  /** Number of jobs in every state. */
  async counts(): Promise<Record<JobStatus, number>> {
    const counts = {} as Record<JobStatus, number>;
    for (const status of JOB_STATUSES) {
      counts[status] = await persistently(async () => {
        let count = 0;
        const rows = this.kv.list({ prefix: indexPrefix({ status }) }, { batchSize: 500 });
        for await (const _ of rows) count++;
        return count;
      });
    }
    return counts;
  }

  /**
   * The first job found that is not finished and reads the data set; null when none does. A job that is claimed or
   * handed back meanwhile is met in one list or the other.
   */
  async usesDataset(datasetId: string): Promise<Job | null> {
    // Queued on both sides of running: a job that is claimed or handed back between two looks is met in the next.
    for (const status of ["queued", "running", "queued", "paused"] as const) {
      let after: string | undefined;
      do {
        const page = await this.list({ status, limit: PAGE_LIMIT, after });
        const user = page.data.find((job) => job.request.dataset.id === datasetId);
        if (user) return user;
        after = page.next ?? undefined;
      } while (after !== undefined);
    }
    return null;
  }

  #newestFirst<T extends { id: string }>(
    prefix: Deno.KvKey,
    after: string | undefined,
    limit: number,
    read: (id: string) => Promise<T | null>,
  ): Promise<Page<T>> {
    const selector = after === undefined ? { prefix } : { prefix, end: [...prefix, after] };
    return persistently(async () => {
      const data: T[] = [];
      let hasMore = false;
      for await (const { key } of this.kv.list(selector, { reverse: true })) {
        const item = await read(key[key.length - 1] as string);
        if (item === null) continue;
        if (data.length === limit) {
          hasMore = true;
          break;
        }
        data.push(item);
      }
      return { data, hasMore, next: hasMore ? data[limit - 1].id : null };
    });
  }
}

function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT) {
    throw new RangeError(`limit must be a whole number from 1 to ${PAGE_LIMIT}: current value is ${limit}`);
  }
}
