/**
 * Jobs and checkpoints as the database stores them.
 *
 * @module
 */
import type { ImagePreprocessing } from "../data/images/preprocessing.ts";
import type { MaeConfig } from "../model/config.ts";
import type { ModelName } from "../model/weights.ts";
import type { JobRequest } from "./requests/commonFields.ts";

/** The statuses of a job. */
export const JOB_STATUSES = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
/** Status of a job. */
export type JobStatus = typeof JOB_STATUSES[number];

/** Progress of a job. It is updated at least once a second while the job runs. */
export interface JobProgress {
  /** Number of completed optimiser steps (of batches for `evaluate`). */
  readonly step: number;
  readonly totalSteps: number;
  /** Current epoch, counted from 0. */
  readonly epoch: number;
  /** Loss of the latest step; null before the first. */
  readonly loss: number | null;
  readonly imagesPerSecond: number | null;
  /** Estimated seconds to the end; null before the first estimate. */
  readonly etaSeconds: number | null;
}

/** A step in the loss series of a job. */
export interface StepPoint {
  /** Number of the step, from 1. */
  readonly step: number;
  /** Number of the epoch, from 0. */
  readonly epoch: number;
  readonly loss: number;
  /** Learning rate of this step. */
  readonly lr: number;
}

/** An epoch in the loss series of a job. */
export interface EpochPoint {
  /** Number of the epoch, from 0. */
  readonly epoch: number;
  /** The epoch's last step. */
  readonly step: number;
  /** Mean of the epoch's step losses. */
  readonly loss: number;
  /** Other measurements, such as `accuracy`. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** The reason why a job failed: `code` for programs, `message` for people. */
export interface JobError {
  readonly code: string;
  readonly message: string;
}

/** The backend of a run. */
export interface JobBackend {
  readonly name: string;
  /** Number of threads that compute. */
  readonly threads?: number;
  /** Width of the vectors of our WebAssembly kernels. Absent for other backends and in rows of earlier versions. */
  readonly vectorBits?: number;
  /** Notes on why other backends were not selected, or faster steps not possible. */
  readonly notes: readonly string[];
}

/** A job. Times are RFC 3339. */
export interface Job {
  /** `job_` and a ULID. */
  readonly id: string;
  /** Name of a kind, see `kinds/mod.ts`. */
  readonly kind: string;
  readonly status: JobStatus;
  readonly name: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly request: JobRequest;
  readonly progress: JobProgress | null;
  /** Losses, accuracy and the final checkpoint, depending on the kind. */
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: JobError | null;
  /** Number of attempts; 0 until the first one starts. */
  readonly attempt: number;
  /** Number of interruptions (lost runners, crashed runs and outages) since the last new checkpoint. */
  readonly interruptions: number;
  /** Number of the interruptions that were outages, which never fail a job. Rows of earlier versions lack it. */
  readonly outages?: number;
  /** Total time for which runs of the job waited during those outages, in milliseconds. */
  readonly outageMs?: number;
  /** Time of a request to cancel the running job. The runner reads it at its next heartbeat. */
  readonly cancelRequestedAt: string | null;
  /** The backend of the latest run; null before the first start. */
  readonly backend: JobBackend | null;
  readonly latestCheckpoint: string | null;
}

/** Where an imported checkpoint comes from. */
export interface CheckpointOrigin {
  /** The library whose names and layout the tensors had: `unmask`, `huggingface`, `meta` or `timm`. */
  readonly format: string;
  /** Name of the file of weights, the first one of several. */
  readonly filename: string;
  /** Address of the downloaded weights; null for an upload. */
  readonly url: string | null;
  /** Parts of the model that the files did not contain: `decoder`, `head`. */
  readonly missing: readonly string[];
  /** What was ignored and what was assumed, a sentence each. */
  readonly notes: readonly string[];
}

/** The row of a checkpoint. Its files are in object storage. */
export interface Checkpoint {
  /** `ckpt_` and a ULID. */
  readonly id: string;
  /** The job that wrote it; null for an imported checkpoint. */
  readonly jobId: string | null;
  /** Name of an imported checkpoint. Absent for those of jobs. */
  readonly name?: string;
  /** Origin of an imported checkpoint. Absent for those of jobs. */
  readonly origin?: CheckpointOrigin;
  readonly model: ModelName;
  readonly step: number;
  readonly epoch: number;
  /** True for the checkpoint at the end of its job. */
  readonly final: boolean;
  readonly metrics: Readonly<Record<string, number>>;
  /** The model's configuration. */
  readonly config: MaeConfig;
  /** Number of classes of a classifier, else 0. Rows of earlier versions lack it: see `classesOf`. */
  readonly classes?: number;
  /**
   * Class names of a classifier, else empty. Null when they are too long for a row: `classNamesOf` then reads them from
   * the safetensors file.
   */
  readonly classNames: readonly string[] | null;
  /** How images that are transparent or not square were converted. Absent in rows of earlier versions, which used the default. */
  readonly rule?: ImagePreprocessing;
  /** Bytes of the safetensors file. */
  readonly size: number;
  /** Hexadecimal SHA-256 of the safetensors file. */
  readonly sha256: string;
  /** Object key of the safetensors file, `checkpoints/{id}.safetensors`. */
  readonly objectKey: string;
  /** Object key of the optimiser's state and position, `checkpoints/{id}.state.safetensors`; null for none. */
  readonly stateKey: string | null;
  /** Hexadecimal SHA-256 of the state's file; rows of earlier versions lack it. */
  readonly stateSha256?: string | null;
  /** Reason why no run can resume from the checkpoint. Absent unless a run has found damage. */
  readonly damage?: string;
  readonly createdAt: string;
}

/**
 * Returns the id under which the guard and the garbage rows of a checkpoint are: that of its job, or its own if it was
 * imported.
 */
export function ownerOf({ id, jobId }: Pick<Checkpoint, "id" | "jobId">): string {
  return jobId ?? id;
}

/** The damaged checkpoints of a job, and the older one from which it continues. */
export interface Fallback {
  /** Newest first. */
  readonly damaged: readonly { readonly checkpoint: string; readonly message: string }[];
  /** Id of the newest readable checkpoint; null when the job starts from the beginning. */
  readonly checkpoint: string | null;
  /** Step of that checkpoint; 0 for the beginning. */
  readonly step: number;
}
