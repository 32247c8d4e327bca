/**
 * The store of jobs: the interface that the API and the runners use.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import type { Checkpoint, Job, JobStatus } from "../job.ts";
import type { JobRequest } from "../requests/commonFields.ts";
import { transition } from "../transitions.ts";
import { changeJob, type JobsDatabase } from "./change.ts";
import { type CheckpointImport, importCheckpoint } from "./checkpoints/imports.ts";
import {
  type CheckpointQuery,
  getCheckpoint,
  listAllCheckpoints,
  listCheckpoints,
} from "./checkpoints/read.ts";
import { createJob, type CreateOptions, findCreated } from "./creation/createJob.ts";
import { beginDatasetDeletion } from "./creation/datasetUse.ts";
import { deleteCheckpoint } from "./deletion/deleteCheckpoint.ts";
import { deleteJob } from "./deletion/deleteJob.ts";
import type { JobEvent } from "./events/event.ts";
import { finishedJob, followEvents } from "./events/follow.ts";
import { pageEvents } from "./events/read.ts";
import { JobWatcher } from "./events/watch.ts";
import { type JobMetrics, type MetricsQuery, readMetrics } from "./metrics/read.ts";
import { completeIndexes, countJobs } from "./rows/indexes.ts";
import { getJob, type JobQuery, listJobs, type Page } from "./rows/read.ts";

export { JobNotFoundError } from "./change.ts";
export { CheckpointNotFoundError, type CreateOptions } from "./creation/createJob.ts";
export { IdempotencyConflictError } from "./creation/idempotency.ts";
export { CheckpointInUseError, JobUnfinishedError } from "./deletion/deleteJob.ts";
export { CheckpointOfJobError } from "./deletion/deleteCheckpoint.ts";
export { ImportExpiredError } from "./checkpoints/imports.ts";
export { type JobQuery, type Page, PAGE_LIMIT } from "./rows/read.ts";
export { InvalidTransitionError } from "../transitions.ts";

/** Options of a store. */
export interface JobStoreOptions {
  /** Returns the current time in milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
}

/** Jobs in Deno KV. Every change is one atomic commit. Any number of processes can share the database. */
export class JobStore implements JobsDatabase {
  readonly now: () => number;
  readonly #watcher: JobWatcher;
  readonly #queueListeners = new Set<() => void>();

  constructor(readonly kv: Deno.Kv, options: JobStoreOptions = {}) {
    this.#watcher = new JobWatcher(kv);
    this.now = options.now ?? Date.now;
  }

  /**
   * Creates and queues a job. `created` is false when the same idempotency key created it before.
   *
   * @throws {IdempotencyConflictError} @throws {CheckpointNotFoundError}
   */
  create(request: JobRequest, options: CreateOptions = {}): Promise<{ job: Job; created: boolean }> {
    return createJob(this, request, options);
  }

  /**
   * Returns the job that an idempotency key has created; null when there is none.
   *
   * @throws {IdempotencyConflictError} when it was created by another request
   */
  findCreated(key: string, fingerprint: string): Promise<Job | null> {
    return findCreated(this, key, fingerprint);
  }

  /** Returns a job; null when there is none with that id. */
  get(id: string): Promise<Job | null> {
    return getJob(this.kv, id);
  }

  /** Returns a page of jobs, newest first. @throws {RangeError} for a limit outside 1 to 1000 */
  list(query: JobQuery = {}): Promise<Page<Job>> {
    return listJobs(this.kv, query);
  }

  /**
   * Cancels a job. A queued job ends immediately. The runner of a running job ends it within two seconds.
   *
   * @throws {JobNotFoundError} @throws {InvalidTransitionError} for a finished job
   */
  async cancel(id: string): Promise<Job> {
    const job = await changeJob(this, id, ({ job }) => ({
      job: transition(job, { type: "cancel_requested" }, this.now()),
      events: job.status === "running" && job.cancelRequestedAt === null
        ? [{
          type: "status",
          level: "info",
          message: "Cancelling: the runner is stopping the run",
          data: { status: job.status, cancelRequested: true },
        }]
        : [],
    }));
    return job!;
  }

  /**
   * Deletes a queued or finished job with its events, metrics, checkpoints and results. An interrupted deletion is
   * finished by deleting the job again.
   *
   * @throws {JobNotFoundError} @throws {JobUnfinishedError} @throws {CheckpointInUseError}
   */
  delete(id: string, objects: ObjectStore): Promise<void> {
    return deleteJob(this, objects, id);
  }

  /** Returns a checkpoint; null when there is none with that id. */
  getCheckpoint(id: string): Promise<Checkpoint | null> {
    return getCheckpoint(this.kv, id);
  }

  /** Returns a page of a job's checkpoints, newest first. */
  listCheckpoints(jobId: string, query: { limit?: number; after?: string } = {}): Promise<Page<Checkpoint>> {
    return listCheckpoints(this.kv, jobId, query);
  }

  /** Returns a page of all checkpoints or of the imported ones, newest first. @throws {RangeError} for an invalid limit */
  listAllCheckpoints(query: CheckpointQuery = {}): Promise<Page<Checkpoint>> {
    return listAllCheckpoints(this.kv, query);
  }

  /**
   * Writes the object of an imported checkpoint, and then records the checkpoint in one commit. After an error, neither
   * a row nor an object remains, or the sweep removes the object later.
   *
   * @throws {ImportExpiredError} @throws {RowTooLargeError}
   */
  importCheckpoint(objects: ObjectStore, source: CheckpointImport): Promise<Checkpoint> {
    return importCheckpoint(this, objects, source);
  }

  /**
   * Deletes an imported checkpoint with its object.
   *
   * @throws {CheckpointNotFoundError} @throws {CheckpointOfJobError} @throws {CheckpointInUseError}
   */
  deleteCheckpoint(id: string, objects: ObjectStore): Promise<void> {
    return deleteCheckpoint(this, objects, id);
  }

  /** Returns the events with numbers above `after`, oldest first, at most `limit` (1 to 1000). */
  events(jobId: string, query: { after?: number; limit?: number } = {}): Promise<JobEvent[]> {
    return pageEvents(this.kv, jobId, query.after, query.limit);
  }

  /** Yields events above `after` as they occur, until the job is finished or the signal is aborted. */
  follow(jobId: string, after = 0, signal?: AbortSignal): AsyncGenerator<JobEvent, void> {
    return followEvents(this.#watcher, this.kv, jobId, after, signal);
  }

  /** Waits until the job is finished. Null when the job is deleted or the signal is aborted before that. */
  finished(jobId: string, signal?: AbortSignal): Promise<Job | null> {
    return finishedJob(this.#watcher, jobId, signal);
  }

  /** Notifies the followers of a job of a change by this process, before the next poll. */
  changed(id: string): void {
    this.#watcher.changed(id);
  }

  /** Notifies the runners of this process that a job is queued, before their next poll. */
  queued(): void {
    for (const listener of this.#queueListeners) listener();
  }

  /** Calls a function whenever this process queues a job, until the signal is aborted. */
  onQueued(listener: () => void, signal: AbortSignal): void {
    this.#queueListeners.add(listener);
    signal.addEventListener("abort", () => this.#queueListeners.delete(listener), { once: true });
  }

  /** Returns a part of the job's loss series. @throws {RangeError} for a query outside its limits */
  metrics(jobId: string, query: MetricsQuery = {}): Promise<JobMetrics> {
    return readMetrics(this.kv, jobId, query);
  }

  /** Returns the number of jobs with each status. */
  counts(): Promise<Record<JobStatus, number>> {
    return countJobs(this.kv);
  }

  /**
   * Adds the index rows that a database of an earlier version lacks, see `rows/indexes.ts`. Other processes can use the
   * database in the meantime, but some of their reads are slower. Every process calls this once, at its start.
   *
   * @returns number of jobs whose rows were added
   */
  upgrade(signal?: AbortSignal): Promise<number> {
    return completeIndexes(this.kv, signal);
  }

  /**
   * Refuses new jobs with a data set for a minute, before its deletion, unless an unfinished job reads it.
   *
   * @returns null when the data set can be deleted, otherwise a job that uses it
   */
  beginDatasetDeletion(datasetId: string): Promise<Job | null> {
    return beginDatasetDeletion(this, datasetId);
  }
}
