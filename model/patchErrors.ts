/**
 * The errors of single patches.
 *
 * @module
 */
import { type MaeConfig, patchDim } from "./config.ts";
import { patchify } from "./patches.ts";

/**
 * Returns the mean squared error of each patch, in pixels.
 *
 * @param predicted patches as pixels, `[batch, N, P·P·C]`, of `denormalizePatches`
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
