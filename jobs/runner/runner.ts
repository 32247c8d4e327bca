/**
 * Takes jobs from the queue and runs them, so many at once.
 *
 * @module
 */
import { type ObjectStoreSettings, openStore, prepareStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { sinceOutage } from "../store/kv/open.ts";
import { jittered, pause } from "../backoff.ts";
import { isTransient } from "../store/kv/errors.ts";
import type { Claim } from "../store/queue/claim.ts";
import { JobQueue } from "../store/queue/queue.ts";
import { LEASE_MS } from "../store/queue/lease.ts";
import { OUTAGE_LIMITS, outageError, type OutageLimits } from "./outageLimits.ts";
import { DEFAULT_KIND_SETTINGS, type KindSettings } from "../kinds/settings.ts";
import { Run } from "./run.ts";
import { StorageWatch } from "./storageWatch.ts";
import type { JobStore } from "../store/store.ts";

/** Change of the wall clock against the monotonic clock between two polls that counts as a jump, in milliseconds. */
const JUMP_MS = 1_000;

/** How a runner is set up. */
export interface RunnerOptions {
  readonly jobs: JobStore;
  readonly storage: ObjectStoreSettings;
  /** Jobs at once. @default 1 */
  readonly slots?: number;
  /** Milliseconds without a heartbeat after which its jobs are taken from it. */
  readonly leaseMs?: number;
  /** Longest pause between two looks at the queue, in milliseconds. @default 250 */
  readonly pollMs?: number;
  /** For people; host and process id when absent. */
  readonly name?: string;
  /** Settings of the runs. */
  readonly settings?: KindSettings;
  /** How long runs wait in an outage of object storage. */
  readonly outage?: OutageLimits;
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
  readonly #storage: StorageWatch;
  readonly #outage: OutageLimits;
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
    this.#store = openStore(options.storage, { existing: true });
    this.#storage = new StorageWatch(this.#store, (message) => this.#log(message));
    this.#outage = options.outage ?? OUTAGE_LIMITS;
  }

  /** Begins to take jobs. */
  start(): void {
    if (this.#loops) return;
    this.#loops = Promise.all([this.#claimLoop(), this.#reapLoop()]);
    if (!this.#jobs.notifiesReady) return;
    // The notifiesReady only shortens the wait: training inside its handler would make the message come again.
    this.#jobs.kv.listenQueue(() => this.#change.resolve()).catch((error) =>
      this.#log("The notifiesReady failed", error)
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
    await this.#prepare();
    while (!signal.aborted) {
      let claim: Claim | null = null;
      if (this.#runs.size < slots) {
        try {
          if (await this.#storage.available()) claim = await this.#queue.claim();
          else await this.#giveUp();
        } catch (error) {
          // The log of the database has lines for the beginning and the end of an outage.
          if (!isTransient(error)) this.#log("The queue could not be read", error);
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

  /** Creates the folder of the store. An unusable disk is detected by the runs. */
  async #prepare(): Promise<void> {
    try {
      await prepareStore(this.#options.storage.url);
    } catch (error) {
      this.#storage.failed(`Object storage is unavailable: ${(error as Error).message}`);
    }
  }

  /** Fails the interrupted jobs when storage has been unavailable for too long. */
  async #giveUp(): Promise<void> {
    const { limitMs } = this.#outage;
    if (this.#storage.outageMs < limitMs) return;
    const { message } = outageError("object storage is still unavailable", limitMs);
    for (const id of await this.#queue.failInterrupted(message)) this.#log(`${id} failed: ${message}`);
  }

  #begin(claim: Claim): void {
    const run = new Run(claim, {
      outage: this.#outage,
      storageFailed: (reason, waitedMs) => this.#storage.failed(reason, waitedMs),
      jobs: this.#jobs,
      queue: this.#queue,
      store: this.#store,
      storage: this.#options.storage,
      settings: this.#options.settings ?? DEFAULT_KIND_SETTINGS,
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
    const { leaseMs } = this.#queue;
    let offset = Date.now() - performance.now();
    while (!signal.aborted) {
      const before = offset;
      offset = Date.now() - performance.now();
      // After a jump of the clock or an outage, wait until the living runners have renewed their leases.
      const isEarly = Math.abs(offset - before) > JUMP_MS || sinceOutage(this.#jobs.kv) < leaseMs;
      try {
        for (const id of isEarly ? [] : await this.#queue.reap()) this.#log(`${id}: its runner is lost`);
      } catch (error) {
        if (!isTransient(error)) this.#log("The check for lost runners failed", error);
      }
      await pause(jittered(leaseMs / 3), signal);
    }
  }
}
