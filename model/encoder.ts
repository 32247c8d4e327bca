/**
 * The encoder, a Vision Transformer that receives only the visible patches (He et al. 2022, section 3).
 *
 * @module
 */
import { type Tensor3D, tensor3d } from "@tensorflow/tfjs-core";
import { type MaeConfig, patchDim } from "./config.ts";
import type { TokenOrder } from "./masking.ts";
import { addConstant } from "./ops/add.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { dropPathRates } from "./ops/dropPath.ts";
import { unshuffle } from "./ops/unshuffle.ts";
import {
  applyLinear,
  applyNorm,
  branchesOf,
  qkvOfBlock,
  transformerBlock,
  type Weights,
} from "./transformer.ts";

/** The input of the encoder, on the host: K patches of each image, and S = K + 1 tokens with a class token, else K. */
export interface EncoderInput {
  readonly batch: number;
  /** `[batch, K, P·P·C]`. */
  readonly patches: Float32Array;
  /** Positions of the tokens, `[batch, S, embedDim]`, or `[1, S, embedDim]` for the whole batch. */
  readonly positions: Float32Array;
  /** The order of the class token and the patches; null without a class token. */
  readonly order: TokenOrder | null;
}

/**
 * Encodes patches. Masked patches are removed before the embedding, not after it: the result is the same, and the
 * embedding has a quarter of the work.
 *
 * @returns `[batch, S, embedDim]`
 */
export function encode(
  weights: Weights,
  config: MaeConfig,
  input: EncoderInput,
  drop?: DropoutKey,
): Tensor3D {
  const { depth, layerNormEps: eps } = config;
  const x = applyBlocks(weights, config, embed(weights, config, input), depth, drop);
  // A classifier with `fc_norm` has no norm here.
  return "encoder.norm.weight" in weights ? applyNorm(x, weights, "encoder.norm", eps) : x;
}

/**
 * Returns queries, keys and values of the last block, from which its attention weights follow.
 *
 * @returns `[batch, S, 3 · embedDim]`
 */
export function lastQkv(weights: Weights, config: MaeConfig, input: EncoderInput): Tensor3D {
  const last = config.depth - 1;
  const x = applyBlocks(weights, config, embed(weights, config, input), last);
  return qkvOfBlock(x, weights, `encoder.blocks.${last}`, config.layerNormEps);
}

/** Returns the tokens with their positions, `[batch, S, embedDim]`. */
function embed(
  weights: Weights,
  config: MaeConfig,
  { batch, patches, positions, order }: EncoderInput,
): Tensor3D {
  const { embedDim } = config, dim = patchDim(config);
  const keep = patches.length / (batch * dim), tokens = order?.patches ?? keep; // K and S
  const cut = tensor3d(patches, [batch, keep, dim]); // [batch, K, P·P·C]
  const embedded = applyLinear(cut, weights, "encoder.patch_embed.projection.1"); // [batch, K, embedDim]
  const sequence = order ? unshuffle(embedded, weights["encoder.cls_token"] as Tensor3D, order) : embedded;
  return addConstant(
    sequence,
    tensor3d(positions, [positions.length / (tokens * embedDim), tokens, embedDim]),
  );
}

/** Applies the first `count` blocks, `[batch, S, embedDim]` to the same shape. */
function applyBlocks(
  weights: Weights,
  { numHeads: heads, layerNormEps: eps }: MaeConfig,
  tokens: Tensor3D,
  count: number,
  drop?: DropoutKey,
): Tensor3D {
  let x = tokens;
  for (let i = 0; i < count; i++) {
    x = transformerBlock(x, weights, `encoder.blocks.${i}`, { heads, eps, drop });
  }
  return x;
}

/** Returns the rates of stochastic depth by the names of the encoder's residual branches. */
export function encoderPathRates({ depth, dropPath }: MaeConfig): ReadonlyMap<string, number> {
  return new Map(
    dropPathRates(dropPath, depth).flatMap((rate, i) =>
      branchesOf(`encoder.blocks.${i}`).map((branch) => [branch, rate])
    ),
  );
}
