/**
 * The masked autoencoder (tutorial step 7; He et al. 2022): mask most patches of an image, encode the rest, decode
 * all, and measure the error where it was masked.
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

/** What the model makes of a batch: N patches of an image, K of them visible. */
export interface MaeOutput {
  /** Encoded visible patches, `[batch, K, embedDim]`. */
  readonly latent: Tensor3D;
  /** Predicted patches, `[batch, N, P·P·C]`. */
  readonly pred: Tensor3D;
  /** Mean squared error on masked patches, a scalar. */
  readonly loss: Scalar;
}

/**
 * A batch as the model reads it, cut and masked on the host.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @param noise `[batch, N]`, uniform in [0, 1): decides what is masked
 * @param place gives the arrays that are filled
 */
export function maskBatch(
  config: MaeConfig,
  pixels: Float32Array,
  noise: Float32Array,
  maskRatio: number,
  place: Allocate = newBuffer,
): MaskedBatch {
  const n = numPatches(config), { embedDim } = config, dim = patchDim(config);
  const masking = randomMasking(noise, noise.length / n, n, maskRatio);
  const { batch, keep } = masking;
  const target = patchify(pixels, config, place("target", batch * n * dim)); // [batch, N, P·P·C]
  const visible = takeVisible(target, masking, dim, place("visible", batch * keep * dim));
  const table = sinusoidalPositions(n, embedDim);
  const positions = takeVisible(table, masking, embedDim, place("positions", batch * keep * embedDim));
  return { target, masking, visible, positions };
}

/** Gives an array for so many numbers of a name. */
export type Allocate = (name: string, length: number) => Float32Array;

/** An array of its own each time. */
export const newBuffer: Allocate = (_, length) => new Float32Array(length);

/** A batch of {@linkcode maskBatch}. */
export interface MaskedBatch {
  /** `[batch, N, P·P·C]`. */
  readonly target: Float32Array;
  /** `[batch, K, P·P·C]`. */
  readonly visible: Float32Array;
  /** Positions of the visible patches, `[batch, K, embedDim]`. */
  readonly positions: Float32Array;
  readonly masking: Masking;
}

/**
 * Forward pass.
 *
 * @param weights all parameters of the MAE
 * @param drop absent outside training
 */
export function forward(
  weights: Weights,
  config: MaeConfig,
  batch: MaskedBatch,
  drop?: DropoutKey,
): MaeOutput {
  const { masking } = batch;
  const { batch: b, keep: k, patches: n } = masking;
  const dim = patchDim(config);
  const visible = tensor3d(batch.visible, [b, k, dim]);
  const latent = encode(weights, config, visible, tensor3d(batch.positions, [b, k, config.embedDim]), drop);

  const decoderPositions = tensor2d(sinusoidalPositions(n, config.decoderEmbedDim), [
    n,
    config.decoderEmbedDim,
  ]);
  const pred = decode(weights, config, latent, masking, decoderPositions, drop);

  const loss = maskedLoss(pred, tensor3d(batch.target, [b, n, dim]), tensor2d(masking.mask, [b, n]));
  return { latent, pred, loss };
}
