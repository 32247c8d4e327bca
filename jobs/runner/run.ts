/**
 * A run: one attempt of a job, from its claim to its outcome.
 *
 * @module
 */
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import { type ObjectStore, StorageUnavailableError } from "../../data/objects/store.ts";
import { jittered, pause } from "../../data/backoff.ts";
import type { Job } from "../job.ts";
import type { ComputeSettings, KindSettings } from "../kinds/settings.ts";
import type { Vectors } from "../process/vectors.ts";
import { collectGarbage } from "../store/checkpoints/garbage.ts";
import { resumePoints } from "../store/checkpoints/read.ts";
import { DatabaseUnavailableError, RowTooLargeError } from "../store/kv/errors.ts";
import type { Claim } from "../store/queue/claim.ts";
import { LeaseLostError } from "../store/queue/lease.ts";
import { type Outcome, tooLargeOutcome } from "../store/queue/outcome.ts";
import { sourceOf } from "../store/rows/keys.ts";
import type { JobStore } from "../store/store.ts";
import { sendHeartbeats } from "./heartbeats.ts";
import { AWAITED } from "./messages.ts";
import type { OutageLimits } from "./outageLimits.ts";
import { EventRecorder } from "./recorder.ts";
import { outcomeOf } from "./runOutcome.ts";
import type { LastRunMessage, RunProcess } from "./runProcess.ts";
import type { StartedProcess } from "./runProcesses.ts";

/** Pause between two attempts to write the outcome in an outage of the database, in milliseconds. */
const OUTCOME_RETRY_MS = 500;

/** Dependencies of a run. */
export interface RunDeps {
  readonly jobs: JobStore;
  /** Length of the lease, in milliseconds. */
  readonly leaseMs: number;
  readonly store: ObjectStore;
  readonly storage: ObjectStoreSettings;
  readonly settings: KindSettings;
  readonly outage: OutageLimits;
  /** Called when the run ends because object storage is unavailable. */
  readonly storageFailed: (reason: string, waitedMs: number) => void;
  /** Returns a process for the run. */
  readonly takeProcess: () => Promise<StartedProcess>;
  readonly log: (message: string, error?: unknown) => void;
}

/** Runs a claimed job in a process of its own, and writes its events and its outcome. */
export class Run {
  readonly #deps: RunDeps;
  readonly #claim: Claim;
  #process: RunProcess | null = null;
  readonly #recorder: EventRecorder;
  /** Aborted when the runner stops. */
  readonly #released = new AbortController();
  /** Aborted at the end of the run. */
  readonly #ended = new AbortController();
  #stopReason: "cancelled" | "released" | null = null;
  #leaseError: LeaseLostError | DatabaseUnavailableError | null = null;
  #collecting: Promise<void> | undefined;

  /** @param claim the claim of the job */
  constructor(claim: Claim, deps: RunDeps) {
    this.#claim = claim;
    this.#deps = deps;
    this.#recorder = new EventRecorder(claim, deps.store);
  }

  /** Stops the run and queues its job again. The next run resumes from the latest checkpoint. */
  release(): void {
    this.#released.abort();
    this.#stop("released");
  }

  /** Resolves when the job is finished, queued again or lost. Never rejects. */
  async run(): Promise<void> {
    const { leaseMs, log } = this.#deps;
    const { id } = this.#claim.job;
    const heartbeats = sendHeartbeats(this.#claim, leaseMs, {
      cancelRequested: () => this.#stop("cancelled"),
      leaseLost: (error) => this.#leaseLost(error),
      failed: (error) => log(`${id}: a heartbeat failed`, error),
    }, this.#ended.signal);
    try {
      const outcome = await this.#compute();
      const killed = this.#process?.kill();
      const { status } = await this.#finish(outcome);
      const isBack = status === "queued" && "cause" in outcome;
      log(
        isBack
          ? `${id} handed back: ${outcome.cause}`
          : `${id} ${status === "failed" ? status : outcome.type}`,
      );
      await killed;
    } catch (error) {
      if (error instanceof LeaseLostError) log(`${id} lost: another runner may have it`);
      // After the lease has expired, another run resumes from the latest checkpoint.
      else log(`${id}: its events or its outcome could not be written`, error);
    } finally {
      this.#ended.abort();
      await this.#process?.kill();
      await heartbeats;
      await this.#collecting;
      this.#collect();
      await this.#collecting;
    }
  }

  /** Runs the job. A row that is too large, or an outage of the database longer than the lease, is an outcome too. */
  async #compute(): Promise<Outcome> {
    try {
      if (!await this.#start()) return { type: this.#stopReason! };
      return await this.#follow();
    } catch (error) {
      if (error instanceof RowTooLargeError) return tooLargeOutcome(error);
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      return { type: "outage", cause: error.message, waitedMs: 0 };
    }
  }

  /** Starts the run in its process. @returns false when the run was stopped before that */
  async #start(): Promise<boolean> {
    const claim = this.#claim, { job } = claim;
    const { jobs, settings, storage, outage, takeProcess, log } = this.#deps;
    const points = await claim.retryWhileHeld(() => resumePoints(jobs.kv, job));
    const sourceId = sourceOf(job);
    const source = sourceId === null ? null : await claim.retryWhileHeld(() => jobs.getCheckpoint(sourceId));
    if (this.#stopReason) return false;
    const { process, vectors } = await takeProcess();
    this.#process = process;
    if (this.#stopReason) return false;
    process.output = (line) => log(`${job.id}: ${line}`);
    process.send({
      type: "run",
      jobId: job.id,
      request: job.request,
      settings: { ...settings, compute: withVectors(settings.compute, vectors) },
      storage,
      resumePoints: points,
      source,
      outageWaitMs: Math.min(outage.waitMs, outage.limitMs),
    });
    return true;
  }

  /** Writes the events of the process until its last message or its end. */
  async #follow(): Promise<Outcome> {
    const process = this.#process!, recorder = this.#recorder;
    while (true) {
      if (this.#leaseError) throw this.#leaseError;
      const message = process.nextMessage();
      if (message?.type === "events") {
        for (const event of message.events) {
          await recorder.record(event);
          if (AWAITED.has(event.type)) process.send({ type: "recorded" });
          if (event.type === "checkpoint") this.#collect();
        }
      } else if (message) {
        const outcome = this.#outcome(message);
        if (outcome.type !== "released") await recorder.flush();
        return outcome;
      }
      const dueMs = recorder.flushDueMs;
      if (dueMs <= 0) await recorder.flush();
      else await process.waitForMessage(dueMs);
    }
  }

  /** Returns the outcome that follows from the last message. Logs an unexpected failure. */
  #outcome(last: LastRunMessage): Outcome {
    const { job } = this.#claim, { outage, log, storageFailed } = this.#deps;
    const stopReason = this.#stopReason;
    if (stopReason === null) {
      if (last.type === "unavailable" && last.isStorage) storageFailed(last.message, last.waitedMs);
      if (last.type === "failed" && last.code === null) log(`${job.id} failed`, last.stack);
    }
    return outcomeOf(last, {
      result: this.#recorder.result,
      stopReason,
      earlierOutageMs: job.outageMs ?? 0,
      limitMs: outage.limitMs,
    });
  }

  /** Writes the outcome, even after the lease expired. That succeeds unless the job was queued again by then. */
  async #finish(outcome: Outcome): Promise<Job> {
    while (true) {
      try {
        return await this.#claim.finish(outcome);
      } catch (error) {
        if (!(error instanceof DatabaseUnavailableError) || this.#released.signal.aborted) throw error;
      }
      await pause(jittered(OUTCOME_RETRY_MS), this.#released.signal);
    }
  }

  #stop(reason: "cancelled" | "released"): void {
    if (this.#ended.signal.aborted || this.#stopReason === "cancelled") return;
    const isFirst = this.#stopReason === null;
    this.#stopReason = reason;
    if (isFirst) this.#process?.stop();
  }

  #leaseLost(error: LeaseLostError | DatabaseUnavailableError): void {
    if (this.#leaseError !== null && !(error instanceof LeaseLostError)) return;
    this.#leaseError = error;
    this.#process?.kill();
    this.#process?.wake();
  }

  /** Deletes garbage objects of the job in the background. The sweep deletes those that cannot be deleted now. */
  #collect(): void {
    const { jobs, store, log } = this.#deps, { id } = this.#claim.job;
    this.#collecting ??= collectGarbage(jobs, store, id)
      .then(() => {}, (error) => {
        const isOutage = error instanceof StorageUnavailableError ||
          error instanceof DatabaseUnavailableError;
        if (!isOutage) log(`${id}: old objects could not be deleted; the sweep will delete them`, error);
      })
      .finally(() => this.#collecting = undefined);
  }
}

/** Returns the settings of a process that computes with vectors of a width. */
function withVectors(compute: ComputeSettings, { bits, note }: Vectors): ComputeSettings {
  return { ...compute, vectorBits: bits, vectorNote: note ?? undefined };
}
