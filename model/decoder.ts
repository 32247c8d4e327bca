/**
 * The lightweight decoder, which receives every patch; a learned token replaces the masked ones (He et al. 2022,
 * section 3).
 *
 * @module
 */
import type { Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import type { MaeConfig } from "./config.ts";
import type { TokenOrder } from "./masking.ts";
import { addConstant } from "./ops/add.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { unshuffle } from "./ops/unshuffle.ts";
import { applyLinear, applyNorm, transformerBlock, type Weights } from "./transformer.ts";

/**
 * Predicts the pixels of every patch.
 *
 * @param latent the encoded tokens, `[batch, S, embedDim]`
 * @param order the order of the T tokens that are decoded
 * @param positions `[T, decoderEmbedDim]`
 * @returns `[batch, T, P·P·C]`
 */
export function decode(
  weights: Weights,
  config: MaeConfig,
  latent: Tensor3D,
  order: TokenOrder,
  positions: Tensor2D,
  drop?: DropoutKey,
): Tensor3D {
  const maskToken = weights["decoder.mask_token"] as Tensor3D; // [1, 1, decoderEmbedDim]
  const encoded = applyLinear(latent, weights, "decoder.decoder_embed"); // [batch, S, decoderEmbedDim]
  const tokens = unshuffle(encoded, maskToken, order); // [batch, T, decoderEmbedDim]
  let x = addConstant(tokens, positions);
  const block = { heads: config.decoderNumHeads, eps: config.layerNormEps, drop };
  for (let i = 0; i < config.decoderDepth; i++) {
    x = transformerBlock(x, weights, `decoder.decoder_blocks.${i}`, block);
  }
  const normed = applyNorm(x, weights, "decoder.decoder_norm", config.layerNormEps);
  return applyLinear(normed, weights, "decoder.decoder_pred"); // [batch, T, P·P·C]
}
