/**
 * Who may run a job: claims, leases, heartbeats, and the writes that only the holder of a lease may make.
 *
 * @module
 */
import { ulid } from "ulid";
import { changeJob, type JobChange, JobNotFoundError, type JobsDatabase } from "../change.ts";
import { damagedRows, fallBackEvent } from "../checkpoints/fallback.ts";
import { addGarbage, removeGarbage } from "../checkpoints/garbage.ts";
import type { Checkpoint, Fallback, Job } from "../../job.ts";
import { withRetry } from "../kv/retry.ts";
import { METRICS_LIMITS, stepRows, truncation } from "../metrics/chunks.ts";
import { fitting, type Outcome, tooLargeOutcome } from "./outcome.ts";
import { pruning } from "../checkpoints/pruning.ts";
import { type JobRow, keys, type Lease } from "../rows/keys.ts";
import { RowTooLargeError } from "../kv/errors.ts";
import { type JobEventInput, transition } from "../../transitions.ts";
import { bounded, boundedBackend, type JobUpdate, updateEvents } from "./update.ts";

export { type Outcome, RESULT_BYTES, resultBytes, tooLargeOutcome } from "./outcome.ts";
export type { JobUpdate } from "./update.ts";

/** A job that this runner holds. */
export interface Claim {
  readonly job: Job;
  /** Proof of the lease: every write shows it. */
  readonly token: string;
}

/** The runner does not hold the job any more: it must stop, and nothing it did since counts. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
  constructor(readonly jobId: string) {
    super(`The lease of job '${jobId}' was lost: another runner may have it`);
  }
}

/** Lease and heartbeat, in milliseconds. */
export const LEASE_MS = 15_000;
/** The share of a lease that may pass before a heartbeat renews it: a fifth, 3 s of 15 s. */
const RENEW_BELOW = 0.8;
/** A lease that ends more than this many lease lengths ahead was written before the clock was set back. */
const LEASES_AHEAD = 2;
/** Waiting jobs looked at for one claim. */
const CANDIDATES = 16;

/** The waiting list as one runner sees it. */
export class JobQueue {
  readonly leaseMs: number;
  /** Jobs that this runner handed back in an outage. It claims others before them. */
  readonly #handedBack = new Set<string>();
  /** When each lease held here expires, by the monotonic clock of this process. */
  readonly #held = new Map<string, number>();

  /** @param runner a name for people, e.g. host and process id */
  constructor(
    readonly database: JobsDatabase,
    readonly runner: string,
    options: { readonly leaseMs?: number } = {},
  ) {
    this.leaseMs = options.leaseMs ?? LEASE_MS;
    if (!(this.leaseMs >= 100)) {
      throw new RangeError(`leaseMs must be at least 100: current value is ${this.leaseMs}`);
    }
  }

  /** Claims the oldest queued job, preferring jobs not handed back in an outage. Null when no job is queued. */
  async claim(): Promise<Claim | null> {
    const { kv } = this.database;
    while (true) {
      const waiting = await withRetry(async () => {
        const ids: string[] = [];
        for await (const { value } of kv.list<string>({ prefix: ["ready"] }, { limit: CANDIDATES })) {
          ids.push(value);
        }
        return ids;
      });
      const ordered = waiting.toSorted((a, b) =>
        Number(this.#handedBack.has(a)) - Number(this.#handedBack.has(b))
      );
      for (const id of ordered) {
        const claim = await this.#claimed(id);
        if (claim !== null) return claim;
      }
      // Others were faster for all of these: there may be more behind them.
      if (waiting.length < CANDIDATES) return null;
    }
  }

  /** Takes one job; null when it does not wait any more. */
  async #claimed(id: string): Promise<Claim | null> {
    const { now } = this.database;
    const token = ulid();
    const from = performance.now();
    try {
      const job = await changeJob(this.database, id, ({ job }) => {
        if (job.status !== "queued") return null;
        const lease: Lease = {
          runner: this.runner,
          token,
          until: now() + this.leaseMs,
          leaseMs: this.leaseMs,
        };
        return { job: transition(job, { type: "claimed" }, now()), lease };
      });
      if (job !== null) this.#held.set(token, from + this.leaseMs);
      return job && { job, token };
    } catch (error) {
      if (error instanceof JobNotFoundError) return null;
      throw error;
    }
  }

  /**
   * Says that the runner lives, and hears whether the job is to be cancelled. It may be called often: the row is
   * written once a fifth of the lease has passed.
   *
   * @throws {LeaseLostError}
   */
  heartbeat({ job, token }: Claim): Promise<{ cancelRequested: boolean }> {
    const { kv, now } = this.database;
    return this.whileHeld({ job, token }, async () => {
      const from = performance.now();
      const [lease, row] = await kv.getMany<[Lease, JobRow]>([keys.lease(job.id), keys.job(job.id)]);
      if (lease.value?.token !== token || row.value === null) {
        this.#held.delete(token);
        throw new LeaseLostError(job.id);
      }
      const answer = { cancelRequested: row.value.job.cancelRequestedAt !== null };
      const left = lease.value.until - now();
      // More than a whole lease is left if the clock was set back.
      if (left > this.leaseMs * RENEW_BELOW && left <= this.leaseMs) return answer;
      const renewed: Lease = { ...lease.value, until: now() + this.leaseMs, leaseMs: this.leaseMs };
      if (!(await kv.atomic().check(lease).set(lease.key, renewed).commit()).ok) return undefined;
      this.#held.set(token, from + this.leaseMs);
      return answer;
    });
  }

  /** Milliseconds until the lease expires, by the clock of this process; negative once it has expired. */
  heldMs({ token }: Claim): number {
    return (this.#held.get(token) ?? -Infinity) - performance.now();
  }

  /**
   * Retries an attempt in an outage of the database until the lease expires. It is made at least once.
   *
   * @throws {DatabaseUnavailableError} when the lease expired before the end of the outage
   */
  whileHeld<T>(claim: Claim, attempt: () => Promise<T | undefined>): Promise<T> {
    return withRetry(attempt, () => this.heldMs(claim));
  }

  /** Writes what a run has to tell. @throws {LeaseLostError} */
  async record(claim: Claim, update: JobUpdate): Promise<Job> {
    const { steps = [], checkpoint, epoch } = update;
    if (steps.length > METRICS_LIMITS.commit) {
      throw new RangeError(
        `At most ${METRICS_LIMITS.commit} steps go in a commit: ${steps.length} were given`,
      );
    }
    if (checkpoint && checkpoint.jobId !== claim.job.id) {
      throw new TypeError(
        `Checkpoint '${checkpoint.id}' is of job '${checkpoint.jobId}', not '${claim.job.id}'`,
      );
    }
    const { kv, now } = this.database;
    const backend = update.backend && boundedBackend(update.backend);
    return await this.#fenced(claim, async ({ job }) => {
      const apply = (event: JobEventInput) => job = transition(job, event, now());
      const series = steps.length > 0 ? await stepRows(kv, job.id, steps) : null;
      const pruned = checkpoint ? await pruning(kv, job, checkpoint) : null;
      if (backend) apply({ type: "started", backend });
      if (update.progress) apply({ type: "progressed", progress: update.progress });
      if (checkpoint) apply({ type: "checkpointed", checkpoint: checkpoint.id });
      return {
        job,
        events: updateEvents({ ...update, backend }),
        also: (operation) => {
          series?.(operation);
          if (epoch) operation.set(keys.epoch(job.id, epoch.epoch), bounded(epoch));
          if (!checkpoint) return;
          pruned?.(operation);
          removeGarbage(operation, checkpoint);
          const row: Checkpoint = { ...checkpoint, createdAt: new Date(now()).toISOString() };
          operation.set(keys.checkpoint(row.id), row).set(keys.jobCheckpoint(job.id, row.id), row.id);
        },
      };
    });
  }

  /** Cuts the series off after a step, as a run does that begins there. @throws {LeaseLostError} */
  async rewind(claim: Claim, step: number): Promise<void> {
    const pieces = await this.whileHeld(claim, () => truncation(this.database.kv, claim.job.id, step));
    for (const also of pieces) await this.#fenced(claim, ({ job }) => ({ job, also }));
  }

  /** Adds garbage rows for objects that a run will write, in case it cannot record them. @throws {LeaseLostError} */
  async announce(claim: Claim, objectKeys: readonly string[]): Promise<void> {
    const { id } = claim.job;
    await this.#fenced(
      claim,
      ({ job }) => ({ job, also: (operation) => addGarbage(operation, id, claim.token, objectKeys) }),
    );
  }

  /**
   * Sets a job back to an older checkpoint because newer ones are damaged. Its series is cut there, and an event names
   * the damaged checkpoints.
   *
   * @throws {LeaseLostError}
   */
  async fallBack(claim: Claim, fallBack: Fallback): Promise<void> {
    await this.rewind(claim, fallBack.step);
    const { kv, now } = this.database;
    await this.#fenced(claim, async ({ job }) => {
      const marked = await damagedRows(kv, fallBack);
      const event = { type: "fell_back", checkpoint: fallBack.checkpoint } as const;
      return { job: transition(job, event, now()), events: [fallBackEvent(fallBack)], also: marked };
    });
  }

  /**
   * Ends a run. The same commit releases the lease. If the outcome does not fit in the job's row, the job fails.
   *
   * @throws {LeaseLostError}
   */
  async finish(claim: Claim, outcome: Outcome): Promise<Job> {
    const finish = (event: Outcome) => {
      const cause = event.type === "outage" ? event.cause : undefined;
      return this.#fenced(
        claim,
        ({ job }) => ({ job: transition(job, event, this.database.now()), cause }),
      );
    };
    const job = await finish(fitting(outcome)).catch((error) => {
      if (!(error instanceof RowTooLargeError)) throw error;
      return finish(tooLargeOutcome(error));
    });
    this.#held.delete(claim.token);
    if (outcome.type === "outage" && job.status === "queued") this.#handedBack.add(job.id);
    else this.#handedBack.delete(job.id);
    return job;
  }

  /**
   * Fails the queued jobs that an outage interrupted, because it has lasted too long.
   *
   * @returns their ids
   */
  async giveUp(message: string): Promise<string[]> {
    const { kv, now } = this.database;
    const waiting = await withRetry(async () => {
      const ids: string[] = [];
      for await (const { value } of kv.list<string>({ prefix: ["ready"] })) ids.push(value);
      return ids;
    });
    const given: string[] = [];
    const error = { code: "storage_unavailable", message };
    for (const id of waiting) {
      const job = await changeJob(this.database, id, ({ job }) => {
        if (job.status !== "queued" || !job.outages) return null;
        return { job: transition(job, { type: "outage_limit", error }, now()) };
      }).catch((error) => {
        if (error instanceof JobNotFoundError) return null;
        throw error;
      });
      if (job !== null) given.push(id);
    }
    return given;
  }

  /**
   * Takes back the jobs whose lease has expired, or ends too far ahead because the clock was set back.
   *
   * @returns ids of the jobs concerned
   */
  async reap(): Promise<string[]> {
    const { kv, now } = this.database;
    const expired = (lease: Lease | null, token: string): lease is Lease =>
      lease !== null && lease.token === token && hasExpired(lease, now());
    const leases = await withRetry(async () => {
      const found: { id: string; token: string }[] = [];
      for await (const { key, value } of kv.list<Lease>({ prefix: ["lease"] })) {
        if (expired(value, value.token)) found.push({ id: key[1] as string, token: value.token });
      }
      return found;
    });
    const taken: string[] = [];
    for (const { id, token } of leases) {
      const job = await changeJob(
        this.database,
        id,
        ({ job }, lease) =>
          expired(lease, token) ? { job: transition(job, { type: "lease_lost" }, now()) } : null,
      );
      if (job !== null) taken.push(id);
    }
    return taken;
  }

  async #fenced(claim: Claim, plan: (row: JobRow) => JobChange | Promise<JobChange>): Promise<Job> {
    const { id } = claim.job;
    try {
      const job = await changeJob(this.database, id, (row, lease) => {
        if (lease?.token !== claim.token) throw new LeaseLostError(id);
        return plan(row);
      }, () => this.heldMs(claim));
      return job!;
    } catch (error) {
      throw error instanceof JobNotFoundError ? new LeaseLostError(id) : error;
    }
  }
}

/**
 * Whether a lease has expired. A lease that ends later than a lease written now can end was written before the clock
 * was set back. A living holder would have renewed it by now.
 */
function hasExpired({ until, leaseMs = LEASE_MS }: Lease, now: number): boolean {
  return until < now || until > now + LEASES_AHEAD * leaseMs;
}
