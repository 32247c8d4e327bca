/**
 * The loss that a training step minimises, for a batch or for a part of it.
 *
 * @module
 */
import { type Scalar, tensor2d } from "@tensorflow/tfjs-core";
import { orderFeeds } from "../classToken.ts";
import { classify, features, unmaskedBatch } from "../classifier.ts";
import { imageDim, type MaeConfig, numPatches } from "../config.ts";
import { encoderPathRates } from "../encoder.ts";
import { type Allocate, forward, maskBatch, newBuffer } from "../mae.ts";
import { drawMaskNoise } from "../maskStrategies.ts";
import { crossEntropy } from "../ops/crossEntropy.ts";
import type { BatchPart, DropoutKey } from "../ops/dropout.ts";
import type { PositionTables } from "../positions.ts";
import type { Weights } from "../transformer.ts";
import type { Architecture } from "../weights.ts";

/** The images of one step. */
export interface ImageBatch {
  /** `[batch, height, width, channels]` in [0, 1]. */
  readonly pixels: Float32Array;
  /** `[batch]`; required for a classifier only. */
  readonly labels: Int32Array | null;
  /** Noise that selects the masked patches, `[batch, N]`; drawn from the seed by default. Not for classifiers. */
  readonly noise?: Float32Array;
}

/** The features of the images of one step. */
export interface FeatureBatch {
  /** `[batch, embedDim]`. */
  readonly features: Float32Array;
  /** `[batch]`. */
  readonly labels: Int32Array;
}

/** The input of one step, as the task requires it. */
export type TrainingBatch = ImageBatch | FeatureBatch;

/** The model to train. */
export interface Task {
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  /** Positions, which are not trained. @default those that the configuration determines */
  readonly tables?: PositionTables;
  /** Trains the head alone (linear probe). */
  readonly freezeEncoder?: boolean;
  /** The input of a step: images, or the features that a frozen encoder has computed for them. @default "pixels" */
  readonly input?: "pixels" | "features";
  readonly seed: number;
}

/** The mean loss of some images, as a function of the weights. */
export interface Objective {
  /** Inputs from the host by name. Each is a concatenation of the images' inputs. */
  readonly feeds: Readonly<Record<string, Float32Array | Int32Array>>;
  /** Key of the dropout factors; absent without dropout. */
  readonly drop?: DropoutKey;
  /** Computes the loss. @param drop the key above, or a copy that collects the factors */
  loss(weights: Weights, drop?: DropoutKey): Scalar;
}

/** Number of images of a batch. */
export function batchSizeOf({ config }: Task, batch: TrainingBatch): number {
  return "features" in batch
    ? batch.features.length / config.embedDim
    : batch.pixels.length / imageDim(config);
}

/** Returns a batch of images that are all zero, as the task requires it. */
export function emptyBatch({ config, input }: Task, images: number): TrainingBatch {
  const labels = new Int32Array(images);
  return input === "features"
    ? { features: new Float32Array(images * config.embedDim), labels }
    : { pixels: new Float32Array(images * imageDim(config)), labels };
}

/**
 * Returns the objective of a batch. Masks and dropout depend only on (seed, epoch, step) and on an image's index in
 * the batch.
 *
 * @param part the images of the batch to include; all by default
 * @param allocate returns the buffers of the large feeds
 */
export function objective(
  task: Task,
  batch: TrainingBatch,
  epoch: number,
  step: number,
  part: BatchPart = { first: 0, images: batchSizeOf(task, batch) },
  allocate: Allocate = newBuffer,
): Objective {
  if ("features" in batch) return headObjective(task, batch, part, allocate);
  const { config, architecture, seed, tables } = task;
  const { first, images } = part, dim = imageDim(config);
  const pixels = batch.pixels.subarray(first * dim, (first + images) * dim);
  const isFrozen = architecture.model === "classifier" && task.freezeEncoder;
  const hasDropout = (config.dropout > 0 || config.dropPath > 0) && !isFrozen;
  const drop: DropoutKey | undefined = hasDropout
    ? { rate: config.dropout, pathRates: encoderPathRates(config), seed, epoch, step, part }
    : undefined;
  if (architecture.model === "mae") {
    const n = numPatches(config);
    const noise = batch.noise?.subarray(first * n, (first + images) * n) ??
      drawMaskNoise(config, { seed, purpose: "mask", epoch, step }, images, first);
    const masked = maskBatch(config, pixels, noise, config.maskRatio, { tables, allocate });
    const { patches, positions, order, target, decoderOrder: { mask, restoreRows, keepRows } } = masked;
    return {
      feeds: { visible: patches, positions, ...orderFeeds(order), target, mask, restoreRows, keepRows },
      drop,
      loss: (weights, key = drop) => forward(weights, config, masked, key).loss,
    };
  }
  const input = unmaskedBatch(config, pixels, { tables, allocate });
  const labels = batch.labels!.subarray(first, first + images);
  return {
    feeds: { patches: input.patches, ...orderFeeds(input.order), labels },
    drop,
    loss: (weights, key = drop) =>
      crossEntropy(classify(weights, config, features(weights, config, input, { drop: key })), labels),
  };
}

/** Returns the objective of a classifier's head on features. */
function headObjective(
  { config }: Task,
  batch: FeatureBatch,
  { first, images }: BatchPart,
  allocate: Allocate,
): Objective {
  const { embedDim } = config, features = allocate("features", images * embedDim);
  features.set(batch.features.subarray(first * embedDim, (first + images) * embedDim));
  const labels = batch.labels.subarray(first, first + images);
  return {
    feeds: { features, labels },
    loss: (weights) =>
      crossEntropy(classify(weights, config, tensor2d(features, [images, embedDim])), labels),
  };
}
