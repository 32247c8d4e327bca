/**
 * What a kind of job is to the runner: a generator of events, run in a worker, that knows neither KV nor HTTP.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import type { StartThread } from "../../model/training/threads.ts";
import type { Checkpoint, Fallback } from "../job.ts";
import type { JobRequest } from "../requests/schemas.ts";
import type { KindSettings } from "./settings.ts";

/** What a kind is given. */
export interface KindContext<R extends JobRequest = JobRequest> {
  readonly jobId: string;
  readonly request: R;
  readonly settings: KindSettings;
  readonly store: ObjectStore;
  /** The checkpoint to continue from after an interruption; null at a fresh start. */
  readonly resumeFrom: Checkpoint | null;
  /** Older checkpoints, newest first. The run continues from one of them if `resumeFrom` is damaged. */
  readonly fallbacks?: readonly Checkpoint[];
  /** The checkpoint named by the request (`request.checkpoint`), for kinds that start from one. */
  readonly source: Checkpoint | null;
  /** Aborted on cancel or on a lost lease; looked at between steps. */
  readonly signal: AbortSignal;
  /** Starts threads for a step; workers of the kind's own thread when absent. */
  readonly startThread?: StartThread;
}

/** What a kind tells while it runs, in order; structured-clonable. The last is `result`. */
export type KindEvent =
  | {
    readonly type: "started";
    readonly backend: { readonly name: string; readonly threads?: number; readonly notes: readonly string[] };
    readonly totalSteps: number;
    readonly stepsPerEpoch: number;
    /** Steps done before, when resumed. */
    readonly step: number;
    readonly parameters: number;
  }
  /** After every optimiser step (or batch); `step` counts from 1. */
  | {
    readonly type: "step";
    readonly step: number;
    readonly epoch: number;
    readonly loss: number;
    readonly lr: number;
    /** Images in this step. */
    readonly images: number;
  }
  /** After the last step of an epoch; `epoch` counts from 0. */
  | {
    readonly type: "epoch";
    readonly epoch: number;
    readonly step: number;
    /** Mean of the epoch's step losses. */
    readonly loss: number;
    /** Whatever else was measured, e.g. `accuracy`. */
    readonly metrics: Readonly<Record<string, number>>;
  }
  /** Newer checkpoints cannot be read. The run continues once the runner has recorded the fallback to `step`. */
  | { readonly type: "fell_back" } & Fallback
  /** Sent before the objects of a checkpoint are written. They are written once the runner has recorded their keys. */
  | { readonly type: "saving"; readonly objectKeys: readonly string[] }
  /** Sent once both objects are stored and read back; the runner commits the row. */
  | { readonly type: "checkpoint"; readonly checkpoint: Omit<Checkpoint, "createdAt"> }
  | { readonly type: "log"; readonly level: "info" | "warning"; readonly message: string }
  | { readonly type: "result"; readonly result: Readonly<Record<string, unknown>> };

/** A kind of job. Errors with a `code` property (a string) keep it in `job.error.code`. */
export type RunKind<R extends JobRequest = JobRequest> = (
  context: KindContext<R>,
) => AsyncGenerator<KindEvent, void>;
