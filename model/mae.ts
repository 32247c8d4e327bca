/**
 * The masked autoencoder of He et al. 2022: encode the visible patches of an image, decode all of its patches, and
 * measure the error on the masked ones. An image has N patches, K of them visible.
 *
 * @module
 */
import { type Scalar, tensor2d, type Tensor3D, tensor3d } from "@tensorflow/tfjs-core";
import { type MaeConfig, numPatches, patchDim } from "./config.ts";
import { decode } from "./decoder.ts";
import { encode } from "./encoder.ts";
import { type Masking, randomMasking, takeVisible } from "./masking.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { maskedLoss } from "./ops/maskedLoss.ts";
import { patchify } from "./patches.ts";
import { sinusoidalPositions } from "./positions.ts";
import type { Weights } from "./transformer.ts";

/** The inputs of {@linkcode forward}, on the host. */
export interface MaskedBatch {
  /** All patches, `[batch, N, P·P·C]`. */
  readonly target: Float32Array;
  /** Visible patches, `[batch, K, P·P·C]`. */
  readonly visible: Float32Array;
  /** Positions of the visible patches, `[batch, K, embedDim]`. */
  readonly positions: Float32Array;
  readonly masking: Masking;
}

/** Returns a buffer of `length` floats for a named input. */
export type Allocate = (name: string, length: number) => Float32Array;

/** Allocates a new array for every input. */
export const newBuffer: Allocate = (_, length) => new Float32Array(length);

/**
 * Cuts images into patches and masks them at random.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param noise `[batch, N]`, uniform in [0, 1); the patches of each image with the smallest noise stay visible
 * @param allocate returns the buffers that are filled
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
 * console.log(batch.masking.keep, batch.visible.length); // 12 384
 * ```
 */
export function maskBatch(
  config: MaeConfig,
  pixels: Float32Array,
  noise: Float32Array,
  maskRatio: number,
  allocate: Allocate = newBuffer,
): MaskedBatch {
  const n = numPatches(config), dim = patchDim(config), { embedDim } = config;
  const masking = randomMasking(noise, noise.length / n, n, maskRatio);
  const { batch, keep } = masking;
  const target = patchify(pixels, config, allocate("target", batch * n * dim)); // [batch, N, P·P·C]
  const visible = takeVisible(target, masking, dim, allocate("visible", batch * keep * dim)); // [batch, K, P·P·C]
  const table = sinusoidalPositions(n, embedDim); // [N, embedDim]
  const positions = takeVisible(table, masking, embedDim, allocate("positions", batch * keep * embedDim)); // [batch, K, embedDim]
  return { target, visible, positions, masking };
}

/** The outputs of {@linkcode forward}. */
export interface MaeOutput {
  /** Encoded visible patches, `[batch, K, embedDim]`. */
  readonly latent: Tensor3D;
  /** Predicted patches, `[batch, N, P·P·C]`. */
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
  const { target, masking: { batch, patches, mask } } = masked, dim = patchDim(config);
  const { latent, pred } = predictPatches(weights, config, masked, drop);
  const loss = maskedLoss(pred, tensor3d(target, [batch, patches, dim]), tensor2d(mask, [batch, patches]));
  return { latent, pred, loss };
}

/** Runs the forward pass without the loss; see {@linkcode forward}. */
export function predictPatches(
  weights: Weights,
  config: MaeConfig,
  { visible, positions, masking }: Omit<MaskedBatch, "target">,
  drop?: DropoutKey,
): Omit<MaeOutput, "loss"> {
  const { batch, keep } = masking;
  const x = tensor3d(visible, [batch, keep, patchDim(config)]); // [batch, K, P·P·C]
  const xPositions = tensor3d(positions, [batch, keep, config.embedDim]); // [batch, K, embedDim]
  const latent = encode(weights, config, x, xPositions, drop); // [batch, K, embedDim]
  const pred = decode(weights, config, latent, masking, drop); // [batch, N, P·P·C]
  return { latent, pred };
}
