/**
 * Messages between the API and the inference process.
 *
 * @module
 */
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { ComputeSettings } from "../../jobs/kinds/settings.ts";
import type { Pool } from "../../model/classifier.ts";
import type { MaskStrategy } from "../../model/maskStrategies.ts";

/** What is computed. */
export type Operation = "reconstruct" | "classify" | "embed";

/** The first message to the inference process. */
export interface InferenceSetup {
  readonly type: "setup";
  readonly storage: ObjectStoreSettings;
  readonly compute: ComputeSettings;
  /** Maximum memory of the model cache, in bytes. */
  readonly cacheBytes: number;
}

/** One request of a batch. */
export interface BatchEntry {
  /** Number of images. */
  readonly count: number;
  /** Key of the masks of its images. */
  readonly seed: number;
  /** How the masks are drawn; by default as in the model's configuration. */
  readonly masking?: MaskStrategy;
  /** Noise whose order gives the masks, instead of the seed: `[count, N]`. */
  readonly noise?: Float32Array;
}

/** Requests that are computed together. */
export interface Batch {
  readonly type: "batch";
  readonly operation: Operation;
  readonly checkpoint: Checkpoint;
  /** For `reconstruct`. */
  readonly maskRatio: number;
  /** Whether the predicted patches are sent back. */
  readonly withPatches: boolean;
  /** Whether the attention of the class token is computed. */
  readonly withAttention: boolean;
  /** For `embed`: what the features are; by default as in the model's configuration. */
  readonly pool?: Pool;
  readonly entries: readonly BatchEntry[];
  /** `[images of all entries, height, width, channels]` with values from 0 to 255. */
  readonly pixels: Uint8Array;
}

/** A message to the inference process. */
export type ToInference = InferenceSetup | Batch;

/** Results of a batch, with the images of all entries in each array. */
export interface BatchResult {
  readonly type: "result";
  readonly arrays: Readonly<Record<string, Float32Array | Int32Array>>;
  /** By the index of its entry: why it failed although the others did not. */
  readonly notFinite: Readonly<Record<number, string>>;
}

/** A batch that failed. */
export interface BatchFailure {
  readonly type: "failure";
  readonly code: string;
  readonly message: string;
  /** Whether the process can compute nothing any more. */
  readonly isFatal: boolean;
}

/** The response to the batch that was sent before it. */
export type FromInference = BatchResult | BatchFailure;
