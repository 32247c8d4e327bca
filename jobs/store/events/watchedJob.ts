/**
 * A followed job as it was at the last poll.
 *
 * @module
 */
import { type JobRow, keys } from "../rows/keys.ts";
import type { JobEvent } from "./event.ts";

/** Number of latest events of a job in memory. A follower that needs older events reads them from the database. */
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

  /** @param id id of the job */
  constructor(readonly id: string) {}

  /** Number of the latest event that is not in memory. */
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
  async update(kv: Deno.Kv, { value, versionstamp }: Deno.KvEntryMaybe<JobRow>): Promise<void> {
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
