/**
 * A claim, and the writes that need it. Each commit checks the token of the lease, so that a run whose lease was lost
 * cannot write (fencing).
 *
 * @module
 */
import type { Checkpoint, Fallback, Job } from "../../job.ts";
import { type JobTrigger, transition } from "../../transitions.ts";
import { changeJob, type JobChange, JobNotFoundError, type JobsDatabase } from "../change.ts";
import { damageMarks, fallbackEvent } from "../checkpoints/fallback.ts";
import { addGarbage, removeGarbage } from "../checkpoints/garbage.ts";
import { pruning } from "../checkpoints/pruning.ts";
import { RowTooLargeError } from "../kv/errors.ts";
import { withRetry } from "../kv/retry.ts";
import { METRICS_LIMITS, stepRows, truncation } from "../metrics/chunks.ts";
import { type JobRow, keys, type Lease } from "../rows/keys.ts";
import { LeaseLostError, needsRenewal } from "./lease.ts";
import { limitOutcome, type Outcome, tooLargeOutcome } from "./outcome.ts";
import { type JobUpdate, limitBackend, limitMetrics, updateEvents } from "./update.ts";

/** Options of a claim. */
export interface ClaimOptions {
  /** Length of the lease, in milliseconds. */
  readonly leaseMs: number;
  /** When the claim was requested, by the monotonic clock of this process. */
  readonly claimedAt: number;
  /** Called after the run ended. */
  readonly finished?: (job: Job, outcome: Outcome) => void;
}

/** The exclusive right of a runner to run a job. */
export class Claim {
  readonly #database: JobsDatabase;
  readonly #options: ClaimOptions;
  /** When the lease expires, by the monotonic clock of this process. */
  #expiresAt: number;

  /**
   * @param job the job as it was claimed
   * @param token token of the lease
   */
  constructor(database: JobsDatabase, readonly job: Job, readonly token: string, options: ClaimOptions) {
    this.#database = database;
    this.#options = options;
    this.#expiresAt = options.claimedAt + options.leaseMs;
  }

  /** Milliseconds until the lease expires, by the clock of this process. Negative after that. */
  get remainingMs(): number {
    return this.#expiresAt - performance.now();
  }

  /**
   * Calls `attempt`, and retries it in an outage of the database until the lease expires.
   *
   * @throws {DatabaseUnavailableError} when the lease expired before the end of the outage
   */
  retryWhileHeld<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    return withRetry(attempt, () => this.remainingMs);
  }

  /**
   * Renews the lease once a fifth of it has passed, and reads whether a client has cancelled the job.
   *
   * @throws {LeaseLostError}
   */
  heartbeat(): Promise<{ cancelRequested: boolean }> {
    const { kv, now } = this.#database;
    const { job: { id }, token } = this;
    const { leaseMs } = this.#options;
    return this.retryWhileHeld(async () => {
      const began = performance.now();
      const [lease, row] = await kv.getMany<[Lease, JobRow]>([keys.lease(id), keys.job(id)]);
      if (lease.value?.token !== token || row.value === null) {
        this.#expiresAt = -Infinity;
        throw new LeaseLostError(id);
      }
      const answer = { cancelRequested: row.value.job.cancelRequestedAt !== null };
      if (!needsRenewal(lease.value, leaseMs, now())) return answer;
      const renewed: Lease = { ...lease.value, until: now() + leaseMs, leaseMs };
      if (!(await kv.atomic().check(lease).set(lease.key, renewed).commit()).ok) return undefined;
      this.#expiresAt = began + leaseMs;
      return answer;
    });
  }

  /** Writes an update of the run in one commit. @throws {LeaseLostError} */
  async record(update: JobUpdate): Promise<Job> {
    const { steps = [], checkpoint, epoch } = update;
    if (steps.length > METRICS_LIMITS.commit) {
      throw new RangeError(
        `An update must have at most ${METRICS_LIMITS.commit} steps: current number is ${steps.length}`,
      );
    }
    if (checkpoint && checkpoint.jobId !== this.job.id) {
      throw new TypeError(
        `Checkpoint '${checkpoint.id}' belongs to job '${checkpoint.jobId}', not '${this.job.id}'`,
      );
    }
    const { kv, now } = this.#database;
    const backend = update.backend && limitBackend(update.backend);
    return await this.#change(async ({ job }) => {
      const apply = (trigger: JobTrigger) => job = transition(job, trigger, now());
      const addSteps = steps.length > 0 ? await stepRows(kv, job.id, steps) : null;
      const removeOld = checkpoint ? await pruning(kv, job, checkpoint) : null;
      if (backend) apply({ type: "started", backend });
      if (update.progress) apply({ type: "progressed", progress: update.progress });
      if (checkpoint) apply({ type: "checkpointed", checkpoint: checkpoint.id });
      return {
        job,
        events: updateEvents({ ...update, backend }),
        addRows: (operation) => {
          addSteps?.(operation);
          if (epoch) operation.set(keys.epoch(job.id, epoch.epoch), limitMetrics(epoch));
          if (!checkpoint) return;
          removeOld?.(operation);
          removeGarbage(operation, checkpoint);
          const row: Checkpoint = { ...checkpoint, createdAt: new Date(now()).toISOString() };
          operation.set(keys.checkpoint(row.id), row).set(keys.jobCheckpoint(job.id, row.id), row.id);
        },
      };
    });
  }

  /** Removes the part of the loss series after `step`, when a run resumes there. @throws {LeaseLostError} */
  async rewind(step: number): Promise<void> {
    const parts = await this.retryWhileHeld(() => truncation(this.#database.kv, this.job.id, step));
    for (const addRows of parts) await this.#change(({ job }) => ({ job, addRows }));
  }

  /** Adds garbage rows of objects that the run will write. {@linkcode record} removes them. @throws {LeaseLostError} */
  async declareObjects(objectKeys: readonly string[]): Promise<void> {
    await this.#change(({ job }) => ({
      job,
      addRows: (operation) => addGarbage(operation, job.id, this.token, objectKeys),
    }));
  }

  /**
   * Sets the job back to an older checkpoint because newer ones are damaged. An event names the damaged checkpoints.
   *
   * @throws {LeaseLostError}
   */
  async fallBack(fallback: Fallback): Promise<void> {
    const { kv, now } = this.#database;
    await this.#change(async ({ job }) => ({
      job: transition(job, { type: "fell_back", checkpoint: fallback.checkpoint }, now()),
      events: [fallbackEvent(fallback)],
      addRows: await damageMarks(kv, fallback),
    }));
  }

  /**
   * Ends the run. The same commit removes the lease. If the outcome does not fit in the job's row, the job fails.
   *
   * @throws {LeaseLostError}
   */
  async finish(outcome: Outcome): Promise<Job> {
    const end = (trigger: Outcome) =>
      this.#change(({ job }) => ({
        job: transition(job, trigger, this.#database.now()),
        cause: "cause" in trigger ? trigger.cause : undefined,
      }));
    const job = await end(limitOutcome(outcome)).catch((error) => {
      if (!(error instanceof RowTooLargeError)) throw error;
      return end(tooLargeOutcome(error));
    });
    this.#expiresAt = -Infinity;
    this.#options.finished?.(job, outcome);
    return job;
  }

  async #change(plan: (row: JobRow) => JobChange | Promise<JobChange>): Promise<Job> {
    const { id } = this.job;
    try {
      const job = await changeJob(this.#database, id, (row, lease) => {
        if (lease?.token !== this.token) throw new LeaseLostError(id);
        return plan(row);
      }, () => this.remainingMs);
      return job!;
    } catch (error) {
      throw error instanceof JobNotFoundError ? new LeaseLostError(id) : error;
    }
  }
}
