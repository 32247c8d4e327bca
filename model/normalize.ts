/**
 * The values that a model computes with: pixels normalised by channel, and targets normalised by patch.
 *
 * @module
 */
import { type MaeConfig, patchDim } from "./config.ts";
import { patchify } from "./patches.ts";

/** Added to the variance of a patch (He et al. 2022, section 4.1; Meta's implementation). */
const PATCH_EPS = 1e-6;

/**
 * Cuts images into patches and normalises the pixels by `config.normalize`.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param patches receives the patches
 * @returns `patches`, `[batch, N, P·P·C]`
 * @throws {RangeError} when `pixels` is not a whole number of images
 */
export function inputPatches<A extends ArrayBufferLike = ArrayBuffer>(
  pixels: Float32Array,
  config: MaeConfig,
  patches: Float32Array<A> = new Float32Array(pixels.length) as Float32Array<A>,
): Float32Array<A> {
  patchify(pixels, config, patches);
  if (config.normalize === null) return patches;
  const { mean, std } = config.normalize, channels = mean.length;
  for (let i = 0; i < patches.length; i++) {
    patches[i] = (patches[i] - mean[i % channels]) / std[i % channels];
  }
  return patches;
}

/** Mean and deviation of a patch. */
function statisticsOf(
  patches: Float32Array,
  start: number,
  dim: number,
): { mean: number; deviation: number } {
  let sum = 0, squares = 0;
  for (let i = start; i < start + dim; i++) sum += patches[i];
  const mean = sum / dim;
  for (let i = start; i < start + dim; i++) squares += (patches[i] - mean) ** 2;
  // The unbiased variance, as `torch.var` computes it.
  return { mean, deviation: Math.sqrt(squares / (dim - 1) + PATCH_EPS) };
}

/**
 * Normalises each patch by its own mean and its unbiased variance: the targets for `norm_pix_loss`.
 *
 * @param patches `[…, dim]`; changed in place
 * @param dim number of values in a patch
 */
export function normalizePatches(patches: Float32Array, dim: number): void {
  for (let start = 0; start < patches.length; start += dim) {
    const { mean, deviation } = statisticsOf(patches, start, dim);
    for (let i = start; i < start + dim; i++) patches[i] = (patches[i] - mean) / deviation;
  }
}

/**
 * Converts predicted patches to pixels. For `norm_pix_loss`, a prediction is scaled by the mean and the deviation of the
 * original patch, which the model does not predict.
 *
 * @param pred `[batch, N, P·P·C]`, as the model predicts them
 * @param pixels the original images, `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, N, P·P·C]`, where pixels are mostly in [0, 1]; `pred` itself if nothing is normalised
 *
 * @example
 * ```ts
 * import { denormalizePatches } from "./normalize.ts";
 * import { PRESETS } from "./presets.ts";
 *
 * const config = { ...PRESETS.mnist, normPixLoss: true };
 * const original = new Float32Array(28 * 28).fill(0.5), pred = new Float32Array(49 * 16);
 * console.log(denormalizePatches(config, pred, original)[0]); // 0.5, the mean of the original patch
 * ```
 */
export function denormalizePatches(
  config: MaeConfig,
  pred: Float32Array,
  pixels: Float32Array,
): Float32Array {
  const { normPixLoss, normalize } = config, dim = patchDim(config);
  if (!normPixLoss && normalize === null) return pred;
  const patches = pred.slice(), mean = normalize?.mean ?? [0], std = normalize?.std ?? [1];
  if (normPixLoss) {
    const originals = inputPatches(pixels, config);
    for (let start = 0; start < patches.length; start += dim) {
      const { mean, deviation } = statisticsOf(originals, start, dim);
      for (let i = start; i < start + dim; i++) patches[i] = patches[i] * deviation + mean;
    }
  }
  for (let i = 0; i < patches.length; i++) {
    patches[i] = patches[i] * std[i % std.length] + mean[i % mean.length];
  }
  return patches;
}
