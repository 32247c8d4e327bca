/**
 * What a step minimises: the loss of a batch, or of a part of it, as a function of the weights.
 *
 * @module
 */
import type { Scalar } from "@tensorflow/tfjs-core";
import { classify, featuresOfPatches } from "../classifier.ts";
import { type MaeConfig, numPatches } from "../config.ts";
import { type Allocate, forward, maskBatch, newBuffer } from "../mae.ts";
import { crossEntropy } from "../ops/crossEntropy.ts";
import type { DropoutKey } from "../ops/dropout.ts";
import { patchify } from "../patches.ts";
import { uniform } from "../random.ts";
import type { Weights } from "../transformer.ts";
import type { ModelShape } from "../weights.ts";

/** Images of one step. */
export interface TrainingBatch {
  /** `[batch, height, width, channels]` in [0, 1]. */
  readonly pixels: Float32Array;
  /** `[batch]`; only a classifier needs them. */
  readonly labels: Int32Array | null;
}

/** What is trained. */
export interface Task {
  readonly config: MaeConfig;
  readonly shape: ModelShape;
  /** Trains the head alone (linear probe). */
  readonly freezeEncoder?: boolean;
  readonly seed: number;
}

/** Some images of a batch. */
export interface Part {
  /** Index of the first in the batch. */
  readonly first: number;
  readonly images: number;
}

/** The loss of some images. */
export interface Objective {
  /** What is read from the host, by name; one behind the other, image after image. */
  readonly feeds: Readonly<Record<string, Float32Array | Int32Array>>;
  /** Key of the dropout; absent where there is none. */
  readonly drop?: DropoutKey;
  /** Mean loss over the images. @param drop `drop`, or a key that tells what is drawn */
  loss(weights: Weights, drop?: DropoutKey): Scalar;
}

/** Number of images of a batch. */
export function imagesOf({ config }: Task, batch: TrainingBatch): number {
  return batch.pixels.length / (config.imageSize ** 2 * config.inChannels);
}

/**
 * The objective of a batch. Masks and dropout depend on (seed, epoch, step) and an image's place in the batch alone.
 *
 * @param part some of its images; all by default
 * @param place gives arrays for the large feeds
 */
export function objective(
  task: Task,
  batch: TrainingBatch,
  epoch: number,
  step: number,
  part: Part = { first: 0, images: imagesOf(task, batch) },
  place: Allocate = newBuffer,
): Objective {
  const { config, shape, seed } = task;
  const { first, images } = part, values = config.imageSize ** 2 * config.inChannels;
  const pixels = batch.pixels.subarray(first * values, (first + images) * values);
  const hasDropout = config.dropout > 0 && !(shape.model === "classifier" && task.freezeEncoder);
  const drop = hasDropout ? { rate: config.dropout, seed, epoch, step, part } : undefined;
  if (shape.model === "mae") {
    const n = numPatches(config);
    const noise = uniform({ seed, purpose: "mask", epoch, step }, images * n, first * n);
    const masked = maskBatch(config, pixels, noise, config.maskRatio, place);
    const { visible, positions, target, masking: { mask, restoreRows, keepRows } } = masked;
    return {
      feeds: { visible, positions, target, mask, restoreRows, keepRows },
      drop,
      loss: (weights, key = drop) => forward(weights, config, masked, key).loss,
    };
  }
  const patches = patchify(pixels, config, place("patches", pixels.length));
  const labels = batch.labels!.subarray(first, first + images);
  return {
    feeds: { patches, labels },
    drop,
    loss: (weights, key = drop) =>
      crossEntropy(classify(weights, featuresOfPatches(weights, config, patches, key)), labels),
  };
}
