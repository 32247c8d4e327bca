/**
 * The classifier: the encoder on all patches, and a linear head on the mean of its output.
 *
 * @module
 */
import { type Tensor2D, tensor3d } from "@tensorflow/tfjs-core";
import { type MaeConfig, numPatches, patchDim } from "./config.ts";
import { encode } from "./encoder.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { meanPool } from "./ops/meanPool.ts";
import { patchify } from "./patches.ts";
import { sinusoidalPositions } from "./positions.ts";
import { applyLinear, type Weights } from "./transformer.ts";

/**
 * Returns the mean of the encoder's output over all patches, without masking.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, embedDim]`
 */
export function features(
  weights: Weights,
  config: MaeConfig,
  pixels: Float32Array,
): Tensor2D {
  return featuresOfPatches(weights, config, patchify(pixels, config));
}

/**
 * Returns the features of images that are already cut into patches.
 *
 * @param patches `[batch, N, P·P·C]`
 * @returns `[batch, embedDim]`
 */
export function featuresOfPatches(
  weights: Weights,
  config: MaeConfig,
  patches: Float32Array,
  drop?: DropoutKey,
): Tensor2D {
  const n = numPatches(config), dim = patchDim(config), { embedDim } = config;
  const x = tensor3d(patches, [patches.length / (n * dim), n, dim]);
  const positions = tensor3d(sinusoidalPositions(n, embedDim), [1, n, embedDim]);
  const latent = encode(weights, config, x, positions, drop); // [batch, N, embedDim]
  return meanPool(latent, 0, n); // [batch, embedDim]
}

/**
 * Returns the logits of features.
 *
 * @param features `[batch, embedDim]`
 * @returns `[batch, classes]`
 *
 * @example
 * ```ts
 * import { selectBackend } from "./backends/select.ts";
 * import { classify, features } from "./classifier.ts";
 * import { PRESETS } from "./presets.ts";
 * import { toTensors } from "./transformer.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * await selectBackend("cpu");
 * const config = PRESETS.mnist, specs = parameterSpecs(config, { model: "classifier", classes: 10 });
 * const weights = toTensors(initialWeights(specs, 0));
 * const logits = classify(weights, features(weights, config, new Float32Array(28 * 28)));
 * console.log(logits.shape); // [1, 10]
 * ```
 */
export function classify(weights: Weights, features: Tensor2D): Tensor2D {
  return applyLinear(features, weights, "head");
}
