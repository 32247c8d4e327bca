/**
 * What the API asks of a model: images in, numbers out. The implementation runs in a worker of its own, so that
 * no other request waits for the arithmetic.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { Checkpoint } from "../../jobs/job.ts";

/** A reconstruction of `count` images; N patches of D = P·P·C values each. */
export interface Reconstruction {
  /** Mean squared error on the masked patches, over all images. */
  readonly loss: number;
  /** `[count]`: the same for each image. */
  readonly losses: Float32Array;
  /** Predicted patches, `[count, N, D]`, not clipped. */
  readonly pred: Float32Array;
  /** `[count, N]`, 1 = masked. */
  readonly mask: Float32Array;
  /** `[count, N]`. */
  readonly idsRestore: Int32Array;
}

/** How to mask. */
export interface ReconstructOptions {
  /** The model's own when absent. */
  readonly maskRatio?: number;
  /** Key of the random masks: the same seed gives the same masks. */
  readonly seed: number;
  readonly signal?: AbortSignal;
}

/** Models behind the inference endpoints. All throw {@linkcode InferenceError}. */
export interface Inference {
  /** @param checkpoint an `mae` checkpoint */
  reconstruct(
    checkpoint: Checkpoint,
    pictures: ImageSet,
    options: ReconstructOptions,
  ): Promise<Reconstruction>;
  /** Class probabilities, `[count, classes]`. @param checkpoint a `classifier` checkpoint */
  classify(checkpoint: Checkpoint, pictures: ImageSet, signal?: AbortSignal): Promise<Float32Array>;
  /** Mean-pooled encoder features, `[count, embedDim]`. @param checkpoint either model */
  embed(checkpoint: Checkpoint, pictures: ImageSet, signal?: AbortSignal): Promise<Float32Array>;
  /** Stops; whoever waits gets an error. */
  close(): void;
}

/**
 * A model could not be loaded or run; `code` is `checkpoint_unreadable`, `wrong_model`, `not_finite` (its output has
 * numbers that are not finite) or `inference_failed`.
 */
export class InferenceError extends Error {
  override readonly name = "InferenceError";
  constructor(readonly code: string, message: string) {
    super(message);
  }
}
