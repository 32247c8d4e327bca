/**
 * Inference with a trained model: reconstructions of an MAE, class probabilities of a classifier, and embeddings.
 *
 * @module
 */
import { imageDim, type MaeConfig, numPatches, patchDim } from "../config.ts";
import { maskBatch } from "../mae.ts";
import { drawMaskNoise, type MaskStrategy } from "../maskStrategies.ts";
import { patchRows } from "./patchRows.ts";
import type { Predictor } from "./predictor.ts";

/** Reconstructions of a batch and their errors. */
export interface MaeBatchResult {
  readonly images: number;
  /** Masked mean squared error of each image, `[batch]`, in the values that the model predicts (`denormalizePatches`). */
  readonly losses: Float32Array;
  /** Mean squared error of each image over all of its values, `[batch]`. */
  readonly pixelErrors: Float32Array;
  /** Patches as the model predicts them, `[batch, N, P·P·C]`. */
  readonly pred: Float32Array;
  /** `[batch, N]`: 1 = masked, 0 = visible. */
  readonly mask: Float32Array;
  /** `[batch, N]`: index of each patch in the shuffled order. */
  readonly idsRestore: Int32Array;
}

/** What the masks of a batch depend on. */
export interface MaskKey {
  readonly seed: number;
  /** Index of the batch. @default 0 */
  readonly step?: number;
  readonly maskRatio: number;
  /** How masked patches are chosen. @default that of the configuration */
  readonly masking?: MaskStrategy;
}

/**
 * Masks random patches of images and reconstructs them.
 *
 * @param predictor of an MAE
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 *
 * @example
 * ```ts
 * import { selectBackend } from "../backends/select.ts";
 * import { unpatchify } from "../patches.ts";
 * import { PRESETS } from "../presets.ts";
 * import { initialWeights, parameterSpecs } from "../weights.ts";
 * import { reconstruct } from "./inference.ts";
 * import { openPredictor } from "./openPredictor.ts";
 *
 * const { planner } = await selectBackend("simd");
 * const config = PRESETS.mnist, weights = initialWeights(parameterSpecs(config, { model: "mae" }), 0);
 * const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
 * const images = new Float32Array(2 * 28 * 28);
 * const { losses, pred } = await reconstruct(predictor, images, { seed: 0, maskRatio: 0.75 });
 * console.log(losses.length, unpatchify(pred, config).length); // 2 1568
 * await predictor.dispose();
 * ```
 */
export async function reconstruct(
  predictor: Predictor,
  pixels: Float32Array,
  key: MaskKey,
): Promise<MaeBatchResult> {
  const { config } = predictor;
  const noise = maskNoise(config, pixels.length / imageDim(config), key);
  return await reconstructWith(predictor, pixels, noise, key.maskRatio);
}

/** Returns the noise from which the masks of `images` images follow, `[images, N]`. */
export function maskNoise(
  config: MaeConfig,
  images: number,
  { seed, step, maskRatio, masking = config.masking }: MaskKey,
): Float32Array<ArrayBuffer> {
  return drawMaskNoise(config, { seed, purpose: "reconstruct", step }, images, 0, { maskRatio, masking });
}

/**
 * Masks patches of images by their noise and reconstructs them.
 *
 * @param predictor of an MAE
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param noise `[batch, N]`, of {@linkcode maskNoise}; the patches of each image with the smallest noise stay visible
 */
export async function reconstructWith(
  predictor: Predictor,
  pixels: Float32Array,
  noise: Float32Array,
  maskRatio: number,
): Promise<MaeBatchResult> {
  const { config } = predictor;
  const n = numPatches(config), dim = patchDim(config), images = pixels.length / imageDim(config);
  const batch = maskBatch(config, pixels, noise, maskRatio, { tables: predictor.tables });
  const pred = await predictor.patches(batch), target = patchRows(config, batch.target);
  const { mask, idsRestore, keep } = batch.masking;
  const losses = new Float32Array(images), pixelErrors = new Float32Array(images);
  for (let image = 0; image < images; image++) {
    let masked = 0, all = 0;
    for (let patch = image * n; patch < (image + 1) * n; patch++) {
      let sum = 0;
      for (let i = patch * dim; i < (patch + 1) * dim; i++) sum += (pred[i] - target[i]) ** 2;
      all += sum;
      masked += sum * mask[patch];
    }
    losses[image] = masked / ((n - keep) * dim);
    pixelErrors[image] = all / (n * dim);
  }
  return { images, losses, pixelErrors, pred, mask, idsRestore };
}

/** Predictions of a classifier for a batch. */
export interface ClassifierBatchResult {
  readonly images: number;
  /** Mean cross-entropy; null without labels. */
  readonly loss: number | null;
  /** `[batch, classes]`. */
  readonly probabilities: Float32Array;
  /** The most probable class of each image, `[batch]`. */
  readonly predicted: Int32Array;
}

/**
 * Classifies images.
 *
 * @param predictor of a classifier
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param labels `[batch]`, for the loss
 *
 * @example
 * ```ts
 * import { selectBackend } from "../backends/select.ts";
 * import { PRESETS } from "../presets.ts";
 * import { initialWeights, parameterSpecs } from "../weights.ts";
 * import { classifyBatch } from "./inference.ts";
 * import { openPredictor } from "./openPredictor.ts";
 *
 * const { planner } = await selectBackend("simd");
 * const config = PRESETS.mnist, specs = parameterSpecs(config, { model: "classifier", classes: 10 });
 * const predictor = await openPredictor({ config, weights: initialWeights(specs, 0), threads: 1 }, planner);
 * const { predicted } = await classifyBatch(predictor, new Float32Array(3 * 28 * 28));
 * console.log(predicted.length); // 3
 * await predictor.dispose();
 * ```
 */
export async function classifyBatch(
  predictor: Predictor,
  pixels: Float32Array,
  labels: Int32Array | null = null,
): Promise<ClassifierBatchResult> {
  const images = pixels.length / imageDim(predictor.config);
  return classifyLogits(await predictor.logits(pixels), images, labels);
}

/**
 * Returns the softmax, the most probable classes and the mean cross-entropy of logits, computed in float64.
 *
 * @param logits `[batch, classes]`
 * @param images the batch
 * @param labels `[batch]`, for the loss
 */
export function classifyLogits(
  logits: Float32Array,
  images: number,
  labels: Int32Array | null = null,
): ClassifierBatchResult {
  const classes = logits.length / images;
  const probabilities = new Float32Array(logits.length), predicted = new Int32Array(images);
  let lossSum = 0;
  for (let image = 0; image < images; image++) {
    const row = logits.subarray(image * classes, (image + 1) * classes);
    let best = 0;
    for (let i = 1; i < classes; i++) if (row[i] > row[best]) best = i;
    const exps = Array.from(row, (logit) => Math.exp(logit - row[best]));
    const sum = exps.reduce((total, value) => total + value, 0);
    probabilities.set(exps.map((value) => value / sum), image * classes);
    predicted[image] = best;
    if (labels) lossSum += Math.log(sum) - (row[labels[image]] - row[best]);
  }
  return { images, loss: labels && lossSum / images, probabilities, predicted };
}
