/**
 * What a job is.
 *
 * @module
 */
import type { JobRequest } from "./requests/commonFields.ts";

/** Every state of a job, in the order of its life. */
export const JOB_STATUSES = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
/** State of a job. */
export type JobStatus = typeof JOB_STATUSES[number];

/** How far a job is; at least once a second while it runs. */
export interface JobProgress {
  /** Optimiser steps (or batches, for `evaluate`) done. */
  readonly step: number;
  readonly totalSteps: number;
  /** Epoch being run, from 0. */
  readonly epoch: number;
  /** Loss of the latest step; null before the first. */
  readonly loss: number | null;
  readonly imagesPerSecond: number | null;
  /** Seconds to the end at the present pace; null before it is known. */
  readonly etaSeconds: number | null;
}

/** Why a job failed: `code` for programs, `message` for people. */
export interface JobError {
  readonly code: string;
  readonly message: string;
}

/** A job as it is stored and answered. Times are RFC 3339. */
export interface Job {
  /** `job_` and a ULID. */
  readonly id: string;
  readonly kind: string;
  readonly status: JobStatus;
  readonly name: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly request: JobRequest;
  readonly progress: JobProgress | null;
  /** What the kind found out: losses, accuracy, the final checkpoint. */
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: JobError | null;
  /** Starts so far; 1 while it runs for the first time. */
  readonly attempt: number;
  /** Number of lost runners and outages since the last new checkpoint. */
  readonly interruptions: number;
  /** How many of the interruptions were outages, which never fail a job. Absent, meaning 0, in older rows. */
  readonly outages?: number;
  /** Milliseconds that the runs of the job waited in those outages. */
  readonly outageMs?: number;
  /** When cancelling was asked for while it ran; the runner sees it at its next heartbeat. */
  readonly cancelRequestedAt: string | null;
  /** What computed it, and why others were passed over; null before the start. */
  readonly backend:
    | { readonly name: string; readonly threads?: number; readonly notes: readonly string[] }
    | null;
  readonly latestCheckpoint: string | null;
}

/** A stored model. The bytes lie in object storage. */
export interface Checkpoint {
  /** `ckpt_` and a ULID. */
  readonly id: string;
  readonly jobId: string;
  readonly model: "mae" | "classifier";
  readonly step: number;
  readonly epoch: number;
  /** True for the one at the end of its job. */
  readonly final: boolean;
  readonly metrics: Readonly<Record<string, number>>;
  /** The model's configuration. */
  readonly config: import("../model/config.ts").MaeConfig;
  /** Number of classes of a classifier, else 0. Rows of earlier versions lack it: see `classesOf`. */
  readonly classes?: number;
  /**
   * Class names of a classifier, else empty. Null when they are too long for a row. The header of the safetensors file
   * then has them, see `classNamesOf`.
   */
  readonly classNames: readonly string[] | null;
  /** How transparent and non-square images were prepared in training. `crop` and `none` in rows of earlier versions. */
  readonly rule?: import("../data/images/preprocessing.ts").ImagePreprocessing;
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
  /** Why no run can resume from the checkpoint. Absent unless a run has failed to. */
  readonly damage?: string;
  readonly createdAt: string;
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
