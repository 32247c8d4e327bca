/**
 * Inference with a trained model: reconstructions of an MAE, class probabilities of a classifier, and embeddings.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { classify, features } from "./classifier.ts";
import { imageDim, type MaeConfig, numPatches, patchDim } from "./config.ts";
import { forward, maskBatch } from "./mae.ts";
import { crossEntropy } from "./ops/crossEntropy.ts";
import { uniform } from "./random.ts";
import type { Weights } from "./transformer.ts";

/** Reconstructions of a batch and their errors. */
export interface MaeBatchResult {
  readonly images: number;
  /** Masked mean squared error of each image, `[batch]`. */
  readonly losses: Float32Array;
  /** Mean squared error of each image over all of its pixels, `[batch]`. */
  readonly pixelErrors: Float32Array;
  /** Predicted patches, `[batch, N, P·P·C]`. */
  readonly pred: Float32Array;
  /** `[batch, N]`: 1 = masked, 0 = visible. */
  readonly mask: Float32Array;
  /** `[batch, N]`: index of each patch in the shuffled order. */
  readonly idsRestore: Int32Array;
}

/**
 * Masks random patches of images and reconstructs them.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param key the masks depend on its seed, its step (the index of the batch) and its ratio
 *
 * @example
 * ```ts
 * import { selectBackend } from "./backends/select.ts";
 * import { reconstruct } from "./inference.ts";
 * import { unpatchify } from "./patches.ts";
 * import { PRESETS } from "./presets.ts";
 * import { toTensors } from "./transformer.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * await selectBackend("simd");
 * const config = PRESETS.mnist;
 * const weights = toTensors(initialWeights(parameterSpecs(config, { model: "mae" }), 0));
 * const images = new Float32Array(2 * 28 * 28);
 * const { losses, pred } = await reconstruct(weights, config, images, { seed: 0, maskRatio: 0.75 });
 * console.log(losses.length, unpatchify(pred, config).length); // 2 1568
 * ```
 */
export async function reconstruct(
  weights: Weights,
  config: MaeConfig,
  pixels: Float32Array,
  key: { seed: number; step?: number; maskRatio: number },
): Promise<MaeBatchResult> {
  const n = numPatches(config), dim = patchDim(config), images = pixels.length / imageDim(config);
  const noise = uniform({ seed: key.seed, purpose: "reconstruct", step: key.step }, images * n);
  const batch = maskBatch(config, pixels, noise, key.maskRatio);
  const tensor = tf.tidy(() => forward(weights, config, batch).pred);
  const pred = await tensor.data() as Float32Array;
  tensor.dispose();
  const { mask, idsRestore, keep } = batch.masking;
  const losses = new Float32Array(images), pixelErrors = new Float32Array(images);
  for (let image = 0; image < images; image++) {
    let masked = 0, all = 0;
    for (let patch = image * n; patch < (image + 1) * n; patch++) {
      let sum = 0;
      for (let i = patch * dim; i < (patch + 1) * dim; i++) sum += (pred[i] - batch.target[i]) ** 2;
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
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param labels `[batch]`, for the loss
 *
 * @example
 * ```ts
 * import { selectBackend } from "./backends/select.ts";
 * import { classifyBatch } from "./inference.ts";
 * import { PRESETS } from "./presets.ts";
 * import { toTensors } from "./transformer.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * await selectBackend("simd");
 * const config = PRESETS.mnist, specs = parameterSpecs(config, { model: "classifier", classes: 10 });
 * const weights = toTensors(initialWeights(specs, 0));
 * const { predicted } = await classifyBatch(weights, config, new Float32Array(3 * 28 * 28));
 * console.log(predicted.length); // 3
 * ```
 */
export async function classifyBatch(
  weights: Weights,
  config: MaeConfig,
  pixels: Float32Array,
  labels: Int32Array | null = null,
): Promise<ClassifierBatchResult> {
  const tensors = tf.tidy(() => {
    const logits = classify(weights, features(weights, config, pixels));
    const loss = labels ? crossEntropy(logits, labels) : tf.scalar(0);
    return [tf.softmax(logits), tf.argMax(logits, 1), loss];
  });
  const [probabilities, predicted, loss] = await Promise.all(tensors.map((tensor) => tensor.data()));
  tf.dispose(tensors);
  return {
    images: predicted.length,
    loss: labels ? loss[0] : null,
    probabilities: probabilities as Float32Array,
    predicted: predicted as Int32Array,
  };
}

/**
 * Computes the embeddings of images: the mean of the encoder's output over all patches.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, embedDim]`
 *
 * @example
 * ```ts
 * import { selectBackend } from "./backends/select.ts";
 * import { embedBatch } from "./inference.ts";
 * import { PRESETS } from "./presets.ts";
 * import { toTensors } from "./transformer.ts";
 * import { encoderSpecs, initialWeights } from "./weights.ts";
 *
 * await selectBackend("simd");
 * const weights = toTensors(initialWeights(encoderSpecs(PRESETS.mnist), 0));
 * const embeddings = await embedBatch(weights, PRESETS.mnist, new Float32Array(3 * 28 * 28));
 * console.log(embeddings.length); // 3 x 64 = 192
 * ```
 */
export async function embedBatch(
  weights: Weights,
  config: MaeConfig,
  pixels: Float32Array,
): Promise<Float32Array> {
  const pooled = tf.tidy(() => features(weights, config, pixels));
  const values = await pooled.data() as Float32Array;
  pooled.dispose();
  return values;
}
