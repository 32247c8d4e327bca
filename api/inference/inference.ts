/**
 * The interface to models: images in, numbers out. The implementation computes in a child process, so that computation
 * does not delay other requests.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { Pool } from "../../model/classifier.ts";
import type { MaskStrategy } from "../../model/maskStrategies.ts";

/** A reconstruction of `count` images; N patches of D = P·P·C values each. */
export interface Reconstruction {
  /** Mean squared error on the masked patches, over all images. */
  readonly loss: number;
  /** `[count]`: mean squared error of each image. */
  readonly losses: Float32Array;
  /** Predicted patches, `[count, N, D]`, not clipped. Empty unless `withPatches` was set. */
  readonly pred: Float32Array;
  /** `[count, N]`, 1 = masked. */
  readonly mask: Float32Array;
  /** `[count, N]`: restores the order of the patches. */
  readonly idsRestore: Int32Array;
  /** `[count, heads, N]`: attention of the class token over the patches. Empty unless `withAttention` was set. */
  readonly attention: Float32Array;
}

/** Options of a reconstruction. */
export interface ReconstructOptions {
  readonly maskRatio: number;
  /** Key of the random masks: the same seed gives the same masks. */
  readonly seed: number;
  /** How the masks are drawn. */
  readonly masking: MaskStrategy;
  /** Noise whose order gives the masks, instead of the seed: `[count, N]`. */
  readonly noise?: Float32Array;
  /** Whether the predicted patches are needed, and not only their errors. */
  readonly withPatches: boolean;
  /** Whether the attention of the class token is needed. Only for a model that has one. */
  readonly withAttention: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Inference with stored models. Requests that wait at the same time are computed together, with the same numbers as if
 * each had been computed alone. All methods throw {@linkcode InferenceError}, and the reason of `signal` once it is
 * aborted.
 */
export interface Inference {
  /** Masks and reconstructs images. @param checkpoint of an MAE */
  reconstruct(
    checkpoint: Checkpoint,
    images: ImageSet,
    options: ReconstructOptions,
  ): Promise<Reconstruction>;
  /** Returns class probabilities, `[count, classes]`. @param checkpoint of a classifier */
  classify(checkpoint: Checkpoint, images: ImageSet, signal?: AbortSignal): Promise<Float32Array>;
  /** Returns encoder features, `[count, embedDim]`. @param checkpoint of any model @param pool `cls` only with a class token */
  embed(checkpoint: Checkpoint, images: ImageSet, pool: Pool, signal?: AbortSignal): Promise<Float32Array>;
  /** Starts what the first request would have to wait for. Never rejects. */
  warm(): Promise<void>;
  /** Stops inference. Pending requests fail. Resolves once nothing is running any more. */
  close(): Promise<void>;
}

/**
 * A model could not be loaded or run. `code` is `checkpoint_unreadable`, `not_finite` (its output has numbers that are
 * not finite), `unavailable` (retrying helps) or `inference_failed`.
 */
export class InferenceError extends Error {
  override readonly name = "InferenceError";

  /** @param retrySeconds of `unavailable`: when to try again */
  constructor(readonly code: string, message: string, readonly retrySeconds = 1) {
    super(message);
  }
}
