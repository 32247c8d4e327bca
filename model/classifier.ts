/**
 * The encoder with a linear head on its mean-pooled features (tutorial, "Using the Pretrained Encoder"; the head is
 * as wide as the encoder, where the tutorial's slip says 16).
 *
 * @module
 */
import { type Tensor2D, tensor3d } from "@tensorflow/tfjs-core";
import { type MaeConfig, numPatches, patchDim } from "./config.ts";
import { encode } from "./encoder.ts";
import { meanPool } from "./ops/meanPool.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { patchify } from "./patches.ts";
import { sinusoidalPositions } from "./positions.ts";
import { applyLinear, type Weights } from "./transformer.ts";

/**
 * Mean of the encoder's output over all patches, nothing masked.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, embedDim]`
 */
export function features(
  weights: Weights,
  config: MaeConfig,
  pixels: Float32Array,
  drop?: DropoutKey,
): Tensor2D {
  return featuresOfPatches(weights, config, patchify(pixels, config), drop);
}

/** The same from patches. @param patches `[batch, N, P·P·C]` */
export function featuresOfPatches(
  weights: Weights,
  config: MaeConfig,
  patches: Float32Array,
  drop?: DropoutKey,
): Tensor2D {
  const n = numPatches(config);
  const batch = patches.length / (n * patchDim(config));
  const positions = tensor3d(sinusoidalPositions(n, config.embedDim), [1, n, config.embedDim]);
  const latent = encode(weights, config, tensor3d(patches, [batch, n, patchDim(config)]), positions, drop);
  return meanPool(latent);
}

/** Class scores. @param features `[batch, embedDim]` @returns `[batch, classes]` */
export function classify(weights: Weights, features: Tensor2D): Tensor2D {
  return applyLinear(features, weights, "head");
}
