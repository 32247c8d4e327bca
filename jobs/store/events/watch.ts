/**
 * Watches jobs for all their followers in this process. The row of a job is read once in each interval, ten jobs to a
 * read, and its new events are read once. This does not depend on the number of streams and waiting requests.
 *
 * The rows are polled because a local database's `watch` does not see other processes. A change made by this process
 * shortens the pause. In an outage of the database the followers wait, and then continue from their position.
 *
 * @module
 */
import type { JobEvent } from "./event.ts";
import { jittered, pause } from "../../backoff.ts";
import { isTransient } from "../kv/errors.ts";
import { KEYS_PER_READ } from "../rows/read.ts";
import { type JobRow, keys } from "../rows/keys.ts";

/** Longest pause between two polls, in milliseconds. The shortest is half of it. */
const POLL_MS = 200;
/** Shortest pause before a poll that a change by this process triggers, in milliseconds. */
const LEAST_MS = 25;
/** Longest pause between two polls that fail, in milliseconds. */
const OUTAGE_MS = 2_000;
/** Number of latest events of a job in memory. A follower that needs older events reads the database itself. */
const RECENT = 256;

/** The state of a job at the last poll. It changes only between two turns of the event loop. */
export class WatchedJob {
  /** Undefined before the first poll; null when the job does not exist. */
  row: JobRow | null | undefined;
  /** The error that ended the watch before the job finished. */
  failure: Error | null = null;
  /** Number of followers of the job. */
  followers = 0;
  #versionstamp: string | null = null;
  #recent: JobEvent[] = [];
  #floor = 0;
  #head = 0;
  readonly #waiting = new Set<() => void>();

  constructor(readonly id: string) {}

  /** Events up to this number are not kept in memory. */
  get floor(): number {
    return this.#floor;
  }

  /** The events above `after`, oldest first; null when some of them may not be in memory. */
  recent(after: number): readonly JobEvent[] | null {
    if (after < this.#floor) return null;
    if (after >= this.#head) return [];
    return this.#recent.filter(({ seq }) => seq > after);
  }

  /** Resolves at the next change, or when the signal is aborted. */
  changed(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      this.#waiting.add(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  /** Ends the watch for every follower. */
  fail(error: Error): void {
    this.failure = error;
    this.#notify();
  }

  /** Applies the row that a poll has read, and reads the new events. */
  async take(kv: Deno.Kv, { value, versionstamp }: Deno.KvEntryMaybe<JobRow>): Promise<void> {
    if (this.row !== undefined && versionstamp === this.#versionstamp) return;
    if (this.row === undefined) this.#floor = this.#head = value?.seq ?? 0;
    else if (value !== null && value.seq > this.#head) await this.#read(kv, value.seq);
    this.row = value;
    this.#versionstamp = versionstamp;
    this.#notify();
  }

  async #read(kv: Deno.Kv, seq: number): Promise<void> {
    const range = {
      start: keys.event(this.id, this.#head + 1),
      end: keys.event(this.id, Number.MAX_SAFE_INTEGER),
    };
    const entries = kv.list<JobEvent>(range, { reverse: true, limit: RECENT });
    const fresh = (await Array.fromAsync(entries, ({ value }) => value)).reverse();
    const all = fresh.length === RECENT ? fresh : [...this.#recent, ...fresh];
    const surplus = Math.max(0, all.length - RECENT);
    if (fresh.length === RECENT) this.#floor = fresh[0].seq - 1;
    else if (surplus > 0) this.#floor = all[surplus - 1].seq;
    this.#recent = all.slice(surplus);
    this.#head = Math.max(seq, fresh.at(-1)?.seq ?? 0);
  }

  #notify(): void {
    for (const done of [...this.#waiting]) done();
  }
}

/** The jobs that are followed in this process, and the single loop that polls them. */
export class JobWatcher {
  readonly #kv: Deno.Kv;
  readonly #jobs = new Map<string, WatchedJob>();
  #isRunning = false;
  /** Aborted when a poll is due at once. */
  #early = new AbortController();
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
    this.#early.abort();
    this.#idle.abort();
  }

  /** Polls a job soon because this process has changed it. */
  changed(id: string): void {
    if (this.#jobs.has(id)) this.#pollSoon();
  }

  #pollSoon(): void {
    this.#early.abort();
    if (!this.#isRunning) this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let failures = 0; this.#jobs.size > 0;) {
      this.#early = new AbortController();
      this.#idle = new AbortController();
      try {
        await this.#poll();
        failures = 0;
      } catch (error) {
        failures++;
        if (!isTransient(error)) this.#fail(error as Error);
      }
      await this.#rest(failures);
    }
    this.#isRunning = false;
  }

  async #rest(failures: number): Promise<void> {
    const ms = jittered(Math.min(OUTAGE_MS, POLL_MS * 2 ** failures));
    await pause(LEAST_MS, this.#idle.signal);
    await pause(ms - LEAST_MS, this.#early.signal);
  }

  async #poll(): Promise<void> {
    const jobs = [...this.#jobs.values()].filter(({ row }) => !row?.job.finishedAt);
    for (let at = 0; at < jobs.length; at += KEYS_PER_READ) {
      const some = jobs.slice(at, at + KEYS_PER_READ);
      const rows = await this.#kv.getMany<JobRow[]>(some.map(({ id }) => keys.job(id)));
      // All are awaited, so that the events of a job are never read twice at the same time.
      const taken = await Promise.allSettled(some.map((job, i) => job.take(this.#kv, rows[i])));
      const failed = taken.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
    }
  }

  #fail(error: Error): void {
    for (const job of this.#jobs.values()) job.fail(error);
    this.#jobs.clear();
  }
}
