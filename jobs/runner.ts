/**
 * Takes jobs from the queue and runs them, so many at once.
 *
 * @module
 */
import { openStore } from "../data/objects/open.ts";
import type { ObjectStore } from "../data/objects/store.ts";
import { jittered, pause } from "./kv.ts";
import { type Claim, JobQueue, LEASE_MS } from "./queue.ts";
import { Run } from "./run.ts";
import type { JobStore } from "./store.ts";

/** How a runner is set up. */
export interface RunnerOptions {
  readonly jobs: JobStore;
  /** Object storage, as in `UNMASK_STORE`. */
  readonly storeUrl: string;
  /** Jobs at once. @default 1 */
  readonly slots?: number;
  /** Milliseconds without a heartbeat after which its jobs are taken from it. */
  readonly leaseMs?: number;
  /** Longest pause between two looks at the queue, in milliseconds. @default 250 */
  readonly pollMs?: number;
  /** For people; host and process id when absent. */
  readonly name?: string;
  /** The module that runs a job in a worker. */
  readonly workerUrl?: URL;
  /** Standard error when absent. */
  readonly log?: (message: string, error?: unknown) => void;
}

/** A runner. `start` it once; `stop` hands its jobs back. */
export class Runner {
  readonly #jobs: JobStore;
  readonly #queue: JobQueue;
  readonly #store: ObjectStore;
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  readonly #runs = new Map<Run, Promise<void>>();
  #loops: Promise<unknown> | null = null;
  #change = Promise.withResolvers<void>();

  /** @throws {TypeError} for a store's address that cannot be used */
  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#jobs = options.jobs;
    const name = options.name ?? `${Deno.hostname()}:${Deno.pid}`;
    this.#queue = new JobQueue(options.jobs, name, { leaseMs: options.leaseMs ?? LEASE_MS });
    this.#store = openStore(options.storeUrl);
  }

  /** Begins to take jobs. */
  start(): void {
    if (this.#loops) return;
    this.#loops = Promise.all([this.#claimLoop(), this.#reapLoop()]);
    if (!this.#jobs.doorbell) return;
    // The doorbell only shortens the wait: training inside its handler would make the message come again.
    this.#jobs.kv.listenQueue(() => this.#change.resolve()).catch((error) =>
      this.#log("The doorbell failed", error)
    );
  }

  /** Takes no more jobs, hands back those that run, and resolves when all is written. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#change.resolve();
    for (const run of this.#runs.keys()) run.release();
    await this.#loops;
    await Promise.all(this.#runs.values());
  }

  #log(message: string, error?: unknown): void {
    if (this.#options.log) this.#options.log(message, error);
    else console.error(...[message, ...(error === undefined ? [] : [error])]);
  }

  async #claimLoop(): Promise<void> {
    const { signal } = this.#stopping;
    const { slots = 1, pollMs = 250 } = this.#options;
    while (!signal.aborted) {
      let claim: Claim | null = null;
      if (this.#runs.size < slots) {
        try {
          claim = await this.#queue.claim();
        } catch (error) {
          this.#log("The queue could not be read", error);
        }
      }
      if (claim) {
        this.#begin(claim);
        continue;
      }
      const over = new AbortController();
      await Promise.race([
        this.#change.promise,
        pause(jittered(pollMs), AbortSignal.any([signal, over.signal])),
      ]);
      over.abort();
      this.#change = Promise.withResolvers();
    }
  }

  #begin(claim: Claim): void {
    const run = new Run(claim, {
      jobs: this.#jobs,
      queue: this.#queue,
      store: this.#store,
      storeUrl: this.#options.storeUrl,
      workerUrl: this.#options.workerUrl ?? new URL("./worker.ts", import.meta.url),
      log: (message, error) => this.#log(message, error),
    });
    const ended = run.run().finally(() => {
      this.#runs.delete(run);
      this.#change.resolve();
    });
    this.#runs.set(run, ended);
    if (this.#stopping.signal.aborted) run.release();
  }

  /** Takes back the jobs of runners that no longer beat. */
  async #reapLoop(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for (const id of await this.#queue.reap()) this.#log(`${id}: its runner is lost`);
      } catch (error) {
        this.#log("Lost runners could not be looked for", error);
      }
      await pause(jittered(this.#queue.leaseMs / 3), signal);
    }
  }
}
