/**
 * Watches jobs for all their followers in this process. The row of a job is read once in each interval, ten jobs to a
 * read, and its new events are read once, whatever the number of streams and waiting requests.
 *
 * The rows are polled because `Deno.Kv.watch` on a local database misses changes by other processes. A change by this
 * process shortens the pause. In an outage of the database the followers wait, and then continue from their position.
 *
 * @module
 */
import { jittered, pause } from "../../../data/backoff.ts";
import { isTransient } from "../kv/errors.ts";
import { type JobRow, keys } from "../rows/keys.ts";
import { KEYS_PER_READ } from "../rows/read.ts";
import { WatchedJob } from "./watchedJob.ts";

/** Longest pause between two polls, in milliseconds. The shortest is half of it. */
const POLL_MS = 200;
/** Shortest pause before a poll that a change by this process triggers, in milliseconds. */
const MIN_PAUSE_MS = 25;
/** Longest pause between two polls that fail, in milliseconds. */
const OUTAGE_PAUSE_MS = 2_000;

/** Polls the followed jobs of this process in a single loop. */
export class JobWatcher {
  readonly #kv: Deno.Kv;
  readonly #jobs = new Map<string, WatchedJob>();
  #isRunning = false;
  /** Aborted to poll without a pause. */
  #pollDue = new AbortController();
  /** Aborted when no job has a follower. */
  #idle = new AbortController();

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /** Adds a follower of a job; {@linkcode leave} removes it. */
  join(id: string): WatchedJob {
    let job = this.#jobs.get(id);
    if (job === undefined) this.#jobs.set(id, job = new WatchedJob(id));
    job.followers++;
    if (job.row === undefined) this.#pollSoon();
    return job;
  }

  /** Removes a follower. Polling stops with the last one. */
  leave(job: WatchedJob): void {
    job.followers--;
    if (job.followers > 0 || this.#jobs.get(job.id) !== job) return;
    this.#jobs.delete(job.id);
    if (this.#jobs.size > 0) return;
    this.#pollDue.abort();
    this.#idle.abort();
  }

  /** Polls a job soon because this process has changed it. */
  changed(id: string): void {
    if (this.#jobs.has(id)) this.#pollSoon();
  }

  #pollSoon(): void {
    this.#pollDue.abort();
    if (!this.#isRunning) this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let failures = 0; this.#jobs.size > 0;) {
      this.#pollDue = new AbortController();
      this.#idle = new AbortController();
      try {
        await this.#poll();
        failures = 0;
      } catch (error) {
        failures++;
        if (!isTransient(error)) this.#fail(error as Error);
      }
      await this.#pause(failures);
    }
    this.#isRunning = false;
  }

  async #pause(failures: number): Promise<void> {
    const ms = jittered(Math.min(OUTAGE_PAUSE_MS, POLL_MS * 2 ** failures));
    await pause(MIN_PAUSE_MS, this.#idle.signal);
    await pause(ms - MIN_PAUSE_MS, this.#pollDue.signal);
  }

  async #poll(): Promise<void> {
    const jobs = [...this.#jobs.values()].filter(({ row }) => !row?.job.finishedAt);
    for (let i = 0; i < jobs.length; i += KEYS_PER_READ) {
      const batch = jobs.slice(i, i + KEYS_PER_READ);
      const rows = await this.#kv.getMany<JobRow[]>(batch.map(({ id }) => keys.job(id)));
      // Waits for all updates, so that the events of a job are never read twice at the same time.
      const results = await Promise.allSettled(batch.map((job, n) => job.update(this.#kv, rows[n])));
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
    }
  }

  #fail(error: Error): void {
    for (const job of this.#jobs.values()) job.fail(error);
    this.#jobs.clear();
  }
}
