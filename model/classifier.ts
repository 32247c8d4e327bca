/**
 * The classifier: the encoder on all patches, and a linear head on the features, which are the mean of its output or the
 * class token.
 *
 * @module
 */
import type { Tensor2D } from "@tensorflow/tfjs-core";
import { classTokenFirst } from "./classToken.ts";
import { imageDim, type MaeConfig, numPatches } from "./config.ts";
import { encode, type EncoderInput } from "./encoder.ts";
import { type BatchOptions, newBuffer } from "./mae.ts";
import { inputPatches } from "./normalize.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { meanPool } from "./ops/meanPool.ts";
import { positionTables } from "./positions.ts";
import { applyLinear, applyNorm, type Weights } from "./transformer.ts";

/** What the features of an image are: the mean over its patch tokens, or the class token. */
export type Pool = MaeConfig["pool"];

/**
 * Cuts images into patches, of which none is masked.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 */
export function unmaskedBatch(
  config: MaeConfig,
  pixels: Float32Array,
  { tables = positionTables(config), allocate = newBuffer }: BatchOptions = {},
): EncoderInput {
  const batch = pixels.length / imageDim(config);
  return {
    batch,
    patches: inputPatches(pixels, config, allocate("patches", pixels.length)), // [batch, N, P·P·C]
    positions: tables.encoder, // [1, T, embedDim]
    order: config.clsToken ? classTokenFirst(batch, numPatches(config)) : null,
  };
}

/**
 * Returns the features of images.
 *
 * @param input all patches of the images, see {@linkcode unmaskedBatch}
 * @param pool `cls` only with a class token
 * @returns `[batch, embedDim]`
 */
export function features(
  weights: Weights,
  config: MaeConfig,
  input: EncoderInput,
  { pool = config.pool, drop }: { readonly pool?: Pool; readonly drop?: DropoutKey } = {},
): Tensor2D {
  const latent = encode(weights, config, input, drop); // [batch, T, embedDim]
  return pool === "cls"
    ? meanPool(latent, 0, 1)
    : meanPool(latent, config.clsToken ? 1 : 0, numPatches(config));
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
 * import { classify, features, unmaskedBatch } from "./classifier.ts";
 * import { PRESETS } from "./presets.ts";
 * import { toTensors } from "./transformer.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * await selectBackend("cpu");
 * const config = PRESETS.mnist, specs = parameterSpecs(config, { model: "classifier", classes: 10 });
 * const weights = toTensors(initialWeights(specs, 0));
 * const images = unmaskedBatch(config, new Float32Array(28 * 28));
 * const logits = classify(weights, config, features(weights, config, images));
 * console.log(logits.shape); // [1, 10]
 * ```
 */
export function classify(weights: Weights, config: MaeConfig, features: Tensor2D): Tensor2D {
  const normed = config.fcNorm ? applyNorm(features, weights, "fc_norm", config.layerNormEps) : features;
  return applyLinear(normed, weights, "head");
}
