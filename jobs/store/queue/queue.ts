/**
 * The job queue of one runner.
 *
 * @module
 */
import { ulid } from "ulid";
import { transition } from "../../transitions.ts";
import { changeJob, JobNotFoundError, type JobsDatabase } from "../change.ts";
import { withRetry } from "../kv/retry.ts";
import type { Lease } from "../rows/keys.ts";
import { Claim } from "./claim.ts";
import { hasExpired, LEASE_MS } from "./lease.ts";

/** Number of queued jobs that are read for one claim. */
const CANDIDATES = 16;

/** Claims queued jobs for a runner, and queues the jobs of lost runners again. */
export class JobQueue {
  readonly leaseMs: number;
  /** Jobs that this runner handed back in an outage. It claims all other jobs first. */
  readonly #handedBack = new Set<string>();

  /**
   * @param runner a readable name of the runner, such as host and process id
   * @throws {RangeError} for a lease of less than 100 ms
   */
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
    while (true) {
      const ids = await this.#queued(CANDIDATES);
      const isLast = (id: string) => Number(this.#handedBack.has(id));
      for (const id of ids.toSorted((a, b) => isLast(a) - isLast(b))) {
        const claim = await this.#claim(id);
        if (claim !== null) return claim;
      }
      // Other runners claimed all of these jobs. More may be queued after them.
      if (ids.length < CANDIDATES) return null;
    }
  }

  /** Claims a job. Null when it is no longer queued. */
  async #claim(id: string): Promise<Claim | null> {
    const { database, runner, leaseMs } = this, { now } = database;
    const token = ulid();
    const claimedAt = performance.now();
    const job = await unlessDeleted(changeJob(database, id, ({ job }) => {
      if (job.status !== "queued") return null;
      const lease: Lease = { runner, token, until: now() + leaseMs, leaseMs };
      return { job: transition(job, { type: "claimed" }, now()), lease };
    }));
    return job && new Claim(database, job, token, {
      leaseMs,
      claimedAt,
      finished: ({ id, status }, { type }) => {
        if (type === "outage" && status === "queued") this.#handedBack.add(id);
        else this.#handedBack.delete(id);
      },
    });
  }

  /**
   * Fails the queued jobs that an outage interrupted, because it has exceeded the limit.
   *
   * @param message message of the jobs' error
   * @returns their ids
   */
  async failInterrupted(message: string): Promise<string[]> {
    const error = { code: "storage_unavailable", message };
    const failed: string[] = [];
    for (const id of await this.#queued()) {
      const job = await unlessDeleted(changeJob(this.database, id, ({ job }) => {
        if (job.status !== "queued" || !job.outages) return null;
        return { job: transition(job, { type: "outage_limit", error }, this.database.now()) };
      }));
      if (job !== null) failed.push(id);
    }
    return failed;
  }

  /**
   * Ends claims with an expired lease, see {@linkcode hasExpired}. Their jobs are queued again, or fail after too many
   * lost runners.
   *
   * @returns the jobs and the names of their lost runners
   */
  async reap(): Promise<{ id: string; runner: string }[]> {
    const { kv, now } = this.database;
    const expired = await withRetry(async () => {
      const found: (Lease & { id: string })[] = [];
      for await (const { key, value } of kv.list<Lease>({ prefix: ["lease"] })) {
        if (hasExpired(value, now())) found.push({ ...value, id: key[1] as string });
      }
      return found;
    });
    const reaped: { id: string; runner: string }[] = [];
    for (const { id, token, runner } of expired) {
      const job = await changeJob(this.database, id, ({ job }, lease) => {
        if (lease?.token !== token || !hasExpired(lease, now())) return null;
        return { job: transition(job, { type: "lease_lost" }, now()) };
      });
      if (job !== null) reaped.push({ id, runner });
    }
    return reaped;
  }

  /** Returns the ids of queued jobs, oldest first. */
  #queued(limit?: number): Promise<string[]> {
    return withRetry(() =>
      Array.fromAsync(this.database.kv.list<string>({ prefix: ["ready"] }, { limit }), ({ value }) => value)
    );
  }
}

/** Returns the result of a change, or null if its job was deleted in the meantime. */
async function unlessDeleted<T>(change: Promise<T>): Promise<T | null> {
  try {
    return await change;
  } catch (error) {
    if (error instanceof JobNotFoundError) return null;
    throw error;
  }
}
