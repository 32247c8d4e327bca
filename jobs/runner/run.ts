/**
 * One run of a job: a worker that computes, and the claim under which what it tells is written.
 *
 * @module
 */
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import { type ObjectStore, StorageUnavailableError } from "../../data/objects/store.ts";
import { objectKeysOf } from "../artifacts/objectKeys.ts";
import { collectGarbage } from "../store/checkpoints/garbage.ts";
import { jittered, pause } from "../backoff.ts";
import { DatabaseUnavailableError } from "../store/kv/errors.ts";
import type { Claim } from "../store/queue/claim.ts";
import type { JobQueue } from "../store/queue/queue.ts";
import type { JobUpdate } from "../store/queue/update.ts";
import { LeaseLostError } from "../store/queue/lease.ts";
import { type Outcome, tooLargeOutcome } from "../store/queue/outcome.ts";
import { outageError, type OutageLimits } from "./outageLimits.ts";
import { resumePoints } from "../store/checkpoints/read.ts";
import { sourceOf } from "../store/rows/keys.ts";
import type { JobStore } from "../store/store.ts";
import { Telling, WRITE_MS } from "./updateBuffer.ts";
import type { KindSettings } from "../kinds/settings.ts";
import { ThreadHost } from "./threads.ts";
import { RowTooLargeError } from "../store/kv/errors.ts";
import { AWAITED, type FromWorker, type ToWorker } from "./messages.ts";

/** Longest time between two heartbeats, in milliseconds: how soon a cancel is heard. */
const BEAT_MS = 500;
/** Time that a worker is given to end between two steps, in milliseconds; then it is terminated. */
const STOP_MS = 1_000;

/** Pause between two attempts to hand a job back, in milliseconds. */
const HAND_BACK_MS = 500;

/** What a run needs. */
export interface RunDeps {
  readonly outage: OutageLimits;
  /** Called when the run ends because object storage is unavailable. */
  readonly storageFailed: (reason: string, waitedMs: number) => void;
  readonly jobs: JobStore;
  readonly queue: JobQueue;
  readonly store: ObjectStore;
  readonly storage: ObjectStoreSettings;
  readonly settings: KindSettings;
  /** The module of the worker. */
  readonly workerUrl: URL;
  readonly log: (message: string, error?: unknown) => void;
}

/** What is heard of a run in its order; threads are seen to at once. */
type Told = Exclude<FromWorker, { type: "thread" | "thread_end" }>;

/** Runs a claimed job to its end, whatever that is. */
export class Run {
  readonly #deps: RunDeps;
  readonly #claim: Claim;
  readonly #telling = new Telling();
  readonly #threads = new ThreadHost((message) => this.#crashed(message));
  #inbox: Told[] = [];
  #wake = Promise.withResolvers<void>();
  #worker: Worker | null = null;
  /** What the worker was asked to stop for. */
  #asked: "cancelled" | "released" | null = null;
  #lost = false;
  /** The lease expired by the clock of this process while the database was unavailable. */
  #cutOff: DatabaseUnavailableError | null = null;
  #ended = false;
  #collecting: Promise<void> | undefined;

  constructor(claim: Claim, deps: RunDeps) {
    this.#claim = claim;
    this.#deps = deps;
  }

  /** Hands the job back to the queue, to be resumed from its last checkpoint. */
  release(): void {
    this.#stop("released");
  }

  /** Resolves when the job is finished, handed back or lost; never rejects. */
  async run(): Promise<void> {
    const { log } = this.#deps;
    const { id } = this.#claim.job;
    const beating = this.#beat();
    try {
      const outcome = await this.#computed();
      await this.#finish(outcome);
      log(outcome.type === "outage" ? `${id} handed back: ${outcome.cause}` : `${id} ${outcome.type}`);
    } catch (error) {
      if (error instanceof LeaseLostError) log(`${id} lost: another runner may have it`);
      // The lease runs out, and the job is taken up again from its last checkpoint.
      else log(`${id} could not be written`, error);
    } finally {
      this.#ended = true;
      this.#terminate();
      this.#notice();
      await beating;
      await this.#collecting;
      this.#collect();
      await this.#collecting;
    }
  }

  /** The outcome. An outage of the database that outlasts the lease is an outcome too. */
  async #computed(): Promise<Outcome> {
    try {
      return await this.#compute();
    } catch (error) {
      if (error instanceof RowTooLargeError) return tooLargeOutcome(error);
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      this.#terminate();
      return { type: "outage", cause: error.message, waitedMs: 0 };
    }
  }

  /** Writes the outcome, even after the lease expired: the write succeeds unless another runner has the job. */
  async #finish(outcome: Outcome): Promise<void> {
    while (true) {
      try {
        await this.#claim.finish(outcome);
        return;
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError) || this.#asked === "released") throw error;
      }
      await Promise.race([pause(jittered(HAND_BACK_MS)), this.#released.promise]);
    }
  }

  readonly #released = Promise.withResolvers<void>();

  /** Heartbeats until the end; learns of a cancel and of a lost lease. */
  async #beat(): Promise<void> {
    const { queue, log } = this.#deps;
    const every = Math.min(BEAT_MS, queue.leaseMs / 5);
    while (!this.#ended && !this.#lost) {
      try {
        const { cancelRequested } = await this.#claim.heartbeat();
        if (cancelRequested) this.#stop("cancelled");
      } catch (error) {
        if (error instanceof LeaseLostError) {
          this.#lost = true;
          this.#terminate();
          this.#notice();
        } else if (error instanceof DatabaseUnavailableError) {
          // After the lease expired, another runner may compute the same steps at the same time.
          if (this.#cutOff === null && this.#claim.remainingMs < 0) {
            this.#cutOff = error;
            this.#terminate();
            this.#notice();
          }
        } else log(`${this.#claim.job.id}: a heartbeat failed`, error);
      }
      await Promise.race([pause(every), this.#ended ? undefined : this.#end.promise]);
    }
  }

  readonly #end = Promise.withResolvers<void>();

  #notice(): void {
    if (this.#ended) this.#end.resolve();
    this.#wake.resolve();
  }

  #stop(why: "cancelled" | "released"): void {
    if (why === "released") this.#released.resolve();
    if (this.#ended || this.#asked === "cancelled" || this.#asked === why) return;
    const first = this.#asked === null;
    this.#asked = why;
    if (!first) return;
    this.#send({ type: "stop" });
    const timer = setTimeout(() => {
      this.#terminate();
      this.#receive({ type: "failed", code: null, message: "It did not stop in time", stack: "" });
    }, STOP_MS);
    this.#end.promise.then(() => clearTimeout(timer));
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromWorker): void {
    if (message.type === "thread" || message.type === "thread_end") return this.#threads.take(message);
    this.#inbox.push(message);
    this.#notice();
  }

  #crashed(message: string): void {
    this.#receive({ type: "failed", code: "worker_crashed", message, stack: message });
  }

  #terminate(): void {
    this.#worker?.terminate();
    this.#threads.end();
  }

  async #compute(): Promise<Outcome> {
    const { job } = this.#claim;
    const { jobs, settings, storage } = this.#deps;
    const resumable = await this.#claim.whileHeld(() => resumePoints(jobs.kv, job));
    const [resumeFrom = null, ...fallbacks] = resumable;
    await this.#claim.rewind(resumeFrom?.step ?? 0);
    const sourceId = sourceOf(job);
    const [source] = sourceId === null
      ? [null]
      : await this.#claim.whileHeld(async () => [await jobs.getCheckpoint(sourceId)] as const);
    if (this.#asked) return { type: this.#asked };
    this.#start();
    const { waitMs, limitMs } = this.#deps.outage;
    const outageWaitMs = Math.min(waitMs, limitMs);
    this.#send({
      type: "run",
      jobId: job.id,
      request: job.request,
      settings,
      storage,
      resumeFrom,
      fallbacks,
      source,
      outageWaitMs,
    });
    return await this.#follow();
  }

  /** Deletes garbage objects of the job in the background. The sweep deletes those that could not be deleted here. */
  #collect(): void {
    const { jobs, store, log } = this.#deps, { id } = this.#claim.job;
    this.#collecting ??= collectGarbage(jobs.kv, store, id)
      .then(() => {}, (error) => {
        const isAway = error instanceof StorageUnavailableError || error instanceof DatabaseUnavailableError;
        if (!isAway) log(`${id}: old objects could not be deleted; the sweep will delete them`, error);
      })
      .finally(() => this.#collecting = undefined);
  }

  #start(): void {
    const { workerUrl } = this.#deps;
    const worker = new Worker(workerUrl, { type: "module", name: this.#claim.job.id });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#crashed(event.message);
    };
    this.#worker = worker;
  }

  /** Writes what the worker tells until it ends. */
  async #follow(): Promise<Outcome> {
    let result: Readonly<Record<string, unknown>> | null = null;
    let written = performance.now();
    while (true) {
      if (this.#lost) throw new LeaseLostError(this.#claim.job.id);
      if (this.#cutOff) throw this.#cutOff;
      const message = this.#inbox.shift();
      if (message?.type === "events") {
        for (const event of message.events) {
          if (event.type === "result") result = event.result;
          else if (event.type === "fell_back") await this.#claim.fallBack(event);
          else if (event.type === "saving") await this.#claim.declareObjects(event.objectKeys);
          else for (const update of this.#telling.take(event)) await this.#record(update);
          if (AWAITED.has(event.type)) this.#send({ type: "recorded" });
          if (event.type === "checkpoint") this.#collect();
        }
      } else if (message) {
        const outcome = this.#outcome(message, result);
        if (outcome.type !== "released") await this.#flush();
        return outcome;
      }
      const wait = written + WRITE_MS - performance.now();
      if (wait <= 0) {
        await this.#flush();
        written = performance.now();
      } else if (this.#inbox.length === 0 && !this.#lost) {
        const over = new AbortController();
        await Promise.race([this.#wake.promise, pause(wait, over.signal)]);
        over.abort();
        this.#wake = Promise.withResolvers();
      }
    }
  }

  async #flush(): Promise<void> {
    const update = this.#telling.pending();
    if (update) await this.#record(update);
  }

  async #record(update: JobUpdate): Promise<void> {
    try {
      await this.#claim.record(update);
    } catch (error) {
      const { checkpoint } = update;
      if (checkpoint && error instanceof LeaseLostError) {
        // Nobody knows of its objects: they would lie there for ever.
        await Promise.allSettled(objectKeysOf(checkpoint).map((key) => this.#deps.store.delete(key)));
      }
      throw error;
    }
  }

  #outcome(
    last: Exclude<Told, { type: "events" }>,
    result: Readonly<Record<string, unknown>> | null,
  ): Outcome {
    if (last.type === "ended" && result) return { type: "succeeded", result };
    if (this.#asked) return { type: this.#asked };
    if (last.type === "unavailable") return this.#outage(last);
    if (last.type === "ended") {
      return { type: "failed", error: { code: "internal_error", message: "The run ended without a result" } };
    }
    if (last.code === null || last.code === "worker_crashed") {
      this.#deps.log(`${this.#claim.job.id} failed`, last.stack);
    }
    const message = last.message.split("\n")[0].slice(0, 500);
    return { type: "failed", error: { code: last.code ?? "internal_error", message } };
  }

  #outage({ message, waitedMs, isStorage }: Extract<Told, { type: "unavailable" }>): Outcome {
    const { limitMs } = this.#deps.outage;
    if (isStorage) this.#deps.storageFailed(message, waitedMs);
    return waitedMs + (this.#claim.job.outageMs ?? 0) < limitMs
      ? { type: "outage", cause: message, waitedMs }
      : { type: "failed", error: outageError(message, limitMs) };
  }
}
