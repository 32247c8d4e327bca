/**
 * The masked autoencoder of He et al. 2022: encode the visible patches of an image, decode all of its patches, and
 * measure the error on the masked ones. An image has N patches, K of them visible.
 *
 * @module
 */
import { type Scalar, tensor2d, type Tensor3D, tensor3d } from "@tensorflow/tfjs-core";
import { classTokenFirst, prependRow, withClassToken } from "./classToken.ts";
import { type MaeConfig, numPatches, patchDim } from "./config.ts";
import { decode } from "./decoder.ts";
import { encode, type EncoderInput } from "./encoder.ts";
import { type Masking, randomMasking, takeVisible, type TokenOrder } from "./masking.ts";
import { inputPatches, normalizePatches } from "./normalize.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { maskedLoss } from "./ops/maskedLoss.ts";
import { type PositionTables, positionTables } from "./positions.ts";
import type { Weights } from "./transformer.ts";

/**
 * The inputs of {@linkcode forward}, on the host. With a class token, the encoder has S = K + 1 tokens and the decoder
 * T = N + 1; without one, S = K and T = N.
 */
export interface MaskedBatch extends EncoderInput {
  /** What the decoder predicts, `[batch, T, P·P·C]`: all patches. The row of a class token is zero. */
  readonly target: Float32Array;
  /** The visible and the masked patches. */
  readonly masking: Masking;
  /** The tokens of the decoder: S of T come from the encoder, the others are mask tokens. */
  readonly decoderOrder: TokenOrder;
  /** Positions of the decoder's tokens, `[T, decoderEmbedDim]`. */
  readonly decoderPositions: Float32Array;
}

/** Returns a buffer of `length` floats for a named input. */
export type Allocate = (name: string, length: number) => Float32Array;

/** Allocates a new array for every input. */
export const newBuffer: Allocate = (_, length) => new Float32Array(length);

/** Options of {@linkcode maskBatch} and `unmaskedBatch`. */
export interface BatchOptions {
  /** @default those that the configuration determines */
  readonly tables?: PositionTables;
  /** Returns the buffers that are filled. */
  readonly allocate?: Allocate;
}

/**
 * Cuts images into patches and masks them at random.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param noise `[batch, N]`, uniform in [0, 1); the patches of each image with the smallest noise stay visible
 *
 * @example
 * ```ts
 * import { maskBatch } from "./mae.ts";
 * import { PRESETS } from "./presets.ts";
 * import { uniform } from "./random.ts";
 *
 * const pixels = new Float32Array(2 * 28 * 28); // two images
 * const noise = uniform({ seed: 0, purpose: "mask" }, 2 * 49);
 * const batch = maskBatch(PRESETS.mnist, pixels, noise, 0.75);
 * console.log(batch.masking.keep, batch.patches.length); // 12 384
 * ```
 */
export function maskBatch(
  config: MaeConfig,
  pixels: Float32Array,
  noise: Float32Array,
  maskRatio: number,
  { tables = positionTables(config), allocate = newBuffer }: BatchOptions = {},
): MaskedBatch {
  const n = numPatches(config), dim = patchDim(config), { embedDim, clsToken } = config;
  const masking = randomMasking(noise, noise.length / n, n, maskRatio);
  const { batch, keep } = masking;
  const all = clsToken ? new Float32Array(batch * n * dim) : allocate("target", batch * n * dim);
  inputPatches(pixels, config, all); // [batch, N, P·P·C]
  const patches = takeVisible(all, masking, dim, allocate("visible", batch * keep * dim)); // [batch, K, P·P·C]
  if (config.normPixLoss) normalizePatches(all, dim);
  const decoderPositions = tables.decoder; // [T, decoderEmbedDim]
  if (!clsToken) {
    const buffer = allocate("positions", batch * keep * embedDim);
    const positions = takeVisible(tables.encoder, masking, embedDim, buffer); // [batch, K, embedDim]
    return {
      batch,
      target: all,
      patches,
      positions,
      masking,
      order: null,
      decoderOrder: masking,
      decoderPositions,
    };
  }
  const target = allocate("target", batch * (n + 1) * dim),
    positions = allocate("positions", batch * (keep + 1) * embedDim);
  prependRow(all, batch, new Float32Array(dim), target); // [batch, N + 1, P·P·C]
  const ofPatches = takeVisible(tables.encoder.subarray(embedDim), masking, embedDim); // [batch, K, embedDim]
  prependRow(ofPatches, batch, tables.encoder.subarray(0, embedDim), positions); // [batch, K + 1, embedDim]
  const order = classTokenFirst(batch, keep), decoderOrder = withClassToken(masking);
  return { batch, target, patches, positions, masking, order, decoderOrder, decoderPositions };
}

/** The outputs of {@linkcode forward}. */
export interface MaeOutput {
  /** Encoded tokens: visible patches, after the class token if there is one. `[batch, S, embedDim]`. */
  readonly latent: Tensor3D;
  /** Predicted patches, `[batch, T, P·P·C]`. The row of a class token has no meaning. */
  readonly pred: Tensor3D;
  /** Mean squared error on the masked patches, a scalar. */
  readonly loss: Scalar;
}

/**
 * Runs the forward pass.
 *
 * @param weights all parameters of the MAE
 * @param drop key of the dropout factors; absent outside training
 *
 * @example
 * ```ts
 * import { selectBackend } from "./backends/select.ts";
 * import { toTensors } from "./transformer.ts";
 * import { forward, maskBatch } from "./mae.ts";
 * import { PRESETS } from "./presets.ts";
 * import { uniform } from "./random.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * await selectBackend("cpu");
 * const config = PRESETS.mnist;
 * const weights = toTensors(initialWeights(parameterSpecs(config, { model: "mae" }), 0));
 * const noise = uniform({ seed: 0, purpose: "mask" }, 49);
 * const { pred, loss } = forward(weights, config, maskBatch(config, new Float32Array(28 * 28), noise, 0.75));
 * console.log(pred.shape, loss.dataSync()[0]); // [1, 49, 16] and the mean squared error
 * ```
 */
export function forward(
  weights: Weights,
  config: MaeConfig,
  masked: MaskedBatch,
  drop?: DropoutKey,
): MaeOutput {
  const { target, decoderOrder: { batch, patches, mask } } = masked, dim = patchDim(config); // patches = T
  const { latent, pred } = predictPatches(weights, config, masked, drop);
  const loss = maskedLoss(pred, tensor3d(target, [batch, patches, dim]), tensor2d(mask, [batch, patches]));
  return { latent, pred, loss };
}

/** Runs the forward pass without the loss; see {@linkcode forward}. */
export function predictPatches(
  weights: Weights,
  config: MaeConfig,
  masked: Omit<MaskedBatch, "target" | "masking">,
  drop?: DropoutKey,
): Omit<MaeOutput, "loss"> {
  const { decoderOrder, decoderPositions } = masked;
  const latent = encode(weights, config, masked, drop); // [batch, S, embedDim]
  const positions = tensor2d(decoderPositions, [decoderOrder.patches, config.decoderEmbedDim]);
  const pred = decode(weights, config, latent, decoderOrder, positions, drop); // [batch, T, P·P·C]
  return { latent, pred };
}
