/**
 * Watching jobs for all that follow them in this process: however many streams and waiting requests there are, the
 * row of a job is read once in each interval, ten jobs to a read, and its new events are read once.
 *
 * The rows are polled because a local database's `watch` does not see other processes. A change made by this process
 * shortens the pause. An outage of the database is waited out: followers stay, and continue where they were.
 *
 * @module
 */
import type { JobEvent } from "./events.ts";
import { isTransient, jittered, pause } from "./kv.ts";
import { KEYS_PER_READ } from "./lists.ts";
import { type JobRow, keys } from "./rows.ts";

/** Longest pause between two polls, in milliseconds; the shortest is half of it. */
const POLL_MS = 200;
/** Least pause before a poll that a change of this process brings about, in milliseconds. */
const LEAST_MS = 25;
/** Longest pause between two polls that fail, in milliseconds. */
const OUTAGE_MS = 2_000;
/** Latest events of a job that are kept in memory. A follower that is behind them reads the database itself. */
const RECENT = 256;

/** A job as the last poll found it. It changes between two turns of the event loop. */
export class WatchedJob {
  /** Undefined before the first poll; null when there is no such job. */
  row: JobRow | null | undefined;
  /** Why watching has ended before the job did. */
  failure: Error | null = null;
  /** Those that follow the job now. */
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

  /** The events above `after`, oldest first; null when there may be some that are not kept in memory. */
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

  /** Takes what a poll has read, and reads the events that are new. */
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

/** The jobs that are followed in this process, and the one loop that polls them. */
export class JobWatcher {
  readonly #kv: Deno.Kv;
  readonly #jobs = new Map<string, WatchedJob>();
  #isRunning = false;
  /** Aborted when a poll is due at once. */
  #early = new AbortController();
  /** Aborted when nobody follows any job. */
  #idle = new AbortController();

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /** Begins to follow a job; {@linkcode leave} ends it. */
  join(id: string): WatchedJob {
    let job = this.#jobs.get(id);
    if (job === undefined) this.#jobs.set(id, job = new WatchedJob(id));
    job.followers++;
    if (job.row === undefined) this.#pollSoon();
    return job;
  }

  /** One follower less. The polling ends with the last. */
  leave(job: WatchedJob): void {
    job.followers--;
    if (job.followers > 0 || this.#jobs.get(job.id) !== job) return;
    this.#jobs.delete(job.id);
    if (this.#jobs.size > 0) return;
    this.#early.abort();
    this.#idle.abort();
  }

  /** A job was changed by this process. */
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
      // All are awaited: a job's events must not be read twice at a time.
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
