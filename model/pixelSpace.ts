/**
 * Converts the output of a model to pixels.
 *
 * @module
 */
import { type MaeConfig, patchDim } from "./config.ts";
import { patchify } from "./patches.ts";

/** Term that `norm_pix_loss` adds to the variance of a patch (He et al. 2022). */
const VARIANCE_EPS = 1e-6;

/**
 * Converts predicted patches to pixels, of which [0, 1] is the range of an image. The normalisation of patches
 * (`normPixLoss`) is undone with the mean and the unbiased variance of the original's patches, and the normalisation of
 * channels (`normalize`) after it.
 *
 * @param pred predicted patches, `[batch, N, P·P·C]`
 * @param pixels the original images, `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, N, P·P·C]`; `pred` itself if the model predicts pixels
 *
 * @example
 * ```ts
 * import { completeConfig } from "./config.ts";
 * import { predictedPixels } from "./pixelSpace.ts";
 *
 * const config = completeConfig({ normalize: { mean: [0.5], std: [0.25] } });
 * const pred = new Float32Array(28 * 28).fill(1);
 * console.log(predictedPixels(config, pred, new Float32Array(28 * 28))[0]); // 0.75
 * ```
 */
export function predictedPixels(config: MaeConfig, pred: Float32Array, pixels: Float32Array): Float32Array {
  const { normPixLoss, normalize, inChannels } = config;
  if (!normPixLoss && normalize === null) return pred;
  const { mean, std } = normalize ?? { mean: Array(inChannels).fill(0), std: Array(inChannels).fill(1) };
  const dim = patchDim(config), converted = new Float32Array(pred.length);
  const original = normPixLoss ? patchify(pixels, config) : pixels;
  for (let start = 0; start < pred.length; start += dim) {
    let centre = 0, deviation = 1;
    if (normPixLoss) {
      let sum = 0, squares = 0;
      const value = (i: number) => (original[start + i] - mean[i % inChannels]) / std[i % inChannels];
      for (let i = 0; i < dim; i++) sum += value(i);
      centre = sum / dim;
      for (let i = 0; i < dim; i++) squares += (value(i) - centre) ** 2;
      deviation = Math.sqrt(squares / (dim - 1) + VARIANCE_EPS);
    }
    for (let i = 0; i < dim; i++) {
      const channel = i % inChannels;
      converted[start + i] = (pred[start + i] * deviation + centre) * std[channel] + mean[channel];
    }
  }
  return converted;
}

/**
 * Returns the mean squared error of each patch.
 *
 * @param predicted patches, `[batch, N, P·P·C]`, of {@linkcode predictedPixels}
 * @param pixels the original images, `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, N]`
 */
export function patchErrors(
  config: MaeConfig,
  predicted: Float32Array,
  pixels: Float32Array,
): Float32Array<ArrayBuffer> {
  const dim = patchDim(config), original = patchify(pixels, config);
  return Float32Array.from({ length: predicted.length / dim }, (_, patch) => {
    let sum = 0;
    for (let i = patch * dim; i < (patch + 1) * dim; i++) sum += (predicted[i] - original[i]) ** 2;
    return sum / dim;
  });
}
