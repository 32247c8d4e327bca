/**
 * A runner: it claims jobs from the queue and runs them.
 *
 * @module
 */
import { type ObjectStoreSettings, openStore, prepareStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { jittered, pause } from "../../data/backoff.ts";
import { DEFAULT_KIND_SETTINGS, type KindSettings } from "../kinds/settings.ts";
import { chooseVectors } from "../process/vectors.ts";
import { isTransient } from "../store/kv/errors.ts";
import { endOutageOfWrites, sinceOutage } from "../store/kv/open.ts";
import type { Claim } from "../store/queue/claim.ts";
import { JobQueue } from "../store/queue/queue.ts";
import type { JobStore } from "../store/store.ts";
import { InterruptiblePause } from "./interruptiblePause.ts";
import { OUTAGE_LIMITS, outageError, type OutageLimits } from "./outageLimits.ts";
import { Run } from "./run.ts";
import { RunProcesses, type StartedProcess } from "./runProcesses.ts";
import { StorageWatch } from "./storageWatch.ts";

/** Change of the wall clock against the monotonic clock between two polls that counts as a jump, in milliseconds. */
const JUMP_MS = 1_000;

/** Options of a runner. */
export interface RunnerOptions {
  readonly jobs: JobStore;
  readonly storage: ObjectStoreSettings;
  /** Number of jobs that run at the same time. @default 1 */
  readonly slots?: number;
  /** Length of a lease, in milliseconds. @default 15000 */
  readonly leaseMs?: number;
  /** Longest pause between two polls of the queue, in milliseconds. @default 250 */
  readonly pollMs?: number;
  /** A readable name for the log. @default host and process id */
  readonly name?: string;
  /** Settings of the runs. @default {@linkcode DEFAULT_KIND_SETTINGS} */
  readonly settings?: KindSettings;
  /** Time limits of an outage of object storage. @default {@linkcode OUTAGE_LIMITS} */
  readonly outage?: OutageLimits;
  /** The module of a run's process. @default runEntry.ts */
  readonly runModule?: URL;
  /** Receives log messages. */
  readonly log: (message: string, error?: unknown) => void;
}

/** Claims jobs and runs them between {@linkcode start} and {@linkcode stop}. */
export class Runner {
  readonly #jobs: JobStore;
  readonly #queue: JobQueue;
  readonly #store: ObjectStore;
  readonly #storage: StorageWatch;
  readonly #outage: OutageLimits;
  readonly #options: RunnerOptions;
  readonly #log: RunnerOptions["log"];
  readonly #processes: RunProcesses;
  readonly #stopping = new AbortController();
  readonly #runs = new Map<Run, Promise<void>>();
  /** The pause between two polls of the queue. */
  readonly #idle = new InterruptiblePause();
  #loops: Promise<unknown> | null = null;

  /** @throws {TypeError} for an invalid address of object storage */
  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#jobs = options.jobs;
    const name = options.name ?? `${Deno.hostname()}:${Deno.pid}`;
    this.#queue = new JobQueue(options.jobs, name, { leaseMs: options.leaseMs });
    this.#store = openStore(options.storage, { mustExist: true });
    this.#storage = new StorageWatch(this.#store, options.log);
    this.#outage = options.outage ?? OUTAGE_LIMITS;
    const { vectors = "128", vectorsFile = null } = options.settings?.compute ?? {};
    this.#processes = new RunProcesses({
      module: options.runModule ?? new URL("./runEntry.ts", import.meta.url),
      vectors: chooseVectors(vectors, vectorsFile),
      log: (line) => this.#log(`The spare process: ${line}`),
    });
  }

  /** Starts to claim jobs. Later calls have no effect. */
  start(): void {
    if (this.#loops) return;
    this.#processes.prepare();
    this.#loops = Promise.all([this.#claimLoop(), this.#reapLoop()]);
    this.#jobs.onQueued(() => this.#idle.interrupt(), this.#stopping.signal);
  }

  /** Claims no more jobs, queues the running ones again, and resolves when everything is written. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#idle.interrupt();
    for (const run of this.#runs.keys()) run.release();
    await this.#loops;
    await Promise.all([...this.#runs.values(), this.#processes.close()]);
  }

  async #claimLoop(): Promise<void> {
    const { signal } = this.#stopping;
    const { slots = 1, pollMs = 250 } = this.#options;
    await this.#prepareStore();
    while (!signal.aborted) {
      let claim: Claim | null = null;
      if (this.#runs.size < slots) {
        try {
          if (await this.#storage.available()) claim = await this.#queue.claim();
          else await this.#failInterrupted();
        } catch (error) {
          // The circuit breaker of the database logs the beginning and the end of an outage.
          if (!isTransient(error)) this.#log("The queue could not be read", error);
        }
      }
      if (claim) this.#run(claim);
      else await this.#idle.wait(jittered(pollMs));
    }
  }

  /** Creates the folder of the store. If that fails, no job is claimed until a probe succeeds. */
  async #prepareStore(): Promise<void> {
    try {
      await prepareStore(this.#options.storage.url);
    } catch (error) {
      this.#storage.failed(`Object storage is unavailable: ${(error as Error).message}`);
    }
  }

  /** Fails the interrupted jobs when an outage of storage has exceeded the limit. */
  async #failInterrupted(): Promise<void> {
    const { limitMs } = this.#outage;
    if (this.#storage.outageMs < limitMs) return;
    const { message } = outageError("object storage is still unavailable", limitMs);
    for (const id of await this.#queue.failInterrupted(message)) this.#log(`${id} failed: ${message}`);
  }

  #run(claim: Claim): void {
    const run = new Run(claim, {
      jobs: this.#jobs,
      leaseMs: this.#queue.leaseMs,
      store: this.#store,
      storage: this.#options.storage,
      settings: this.#options.settings ?? DEFAULT_KIND_SETTINGS,
      outage: this.#outage,
      storageFailed: (reason, waitedMs) => this.#storage.failed(reason, waitedMs),
      takeProcess: () => this.#takeProcess(),
      log: this.#log,
    });
    const ended = run.run().finally(() => {
      this.#runs.delete(run);
      this.#processes.prepare();
      this.#idle.interrupt();
    });
    this.#runs.set(run, ended);
    if (this.#stopping.signal.aborted) run.release();
  }

  /** Returns a process for a run. While a slot is free, a spare is kept ready for the next run. */
  async #takeProcess(): Promise<StartedProcess> {
    const taken = await this.#processes.take();
    if (this.#runs.size < (this.#options.slots ?? 1)) this.#processes.prepare();
    return taken;
  }

  /** Queues the jobs of lost runners again. */
  async #reapLoop(): Promise<void> {
    const { signal } = this.#stopping;
    const { leaseMs } = this.#queue;
    let offset = Date.now() - performance.now();
    while (!signal.aborted) {
      const before = offset;
      offset = Date.now() - performance.now();
      // After a jump of the clock or an outage, the living runners must renew their leases first.
      const isEarly = Math.abs(offset - before) > JUMP_MS || sinceOutage(this.#jobs.kv) < leaseMs;
      try {
        await endOutageOfWrites(this.#jobs.kv);
        for (const { id, runner } of isEarly ? [] : await this.#queue.reap()) {
          this.#log(`${id}: its runner '${runner}' is lost`);
        }
      } catch (error) {
        if (!isTransient(error)) this.#log("The check for lost runners failed", error);
      }
      await pause(jittered(leaseMs / 3), signal);
    }
  }
}
