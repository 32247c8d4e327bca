/**
 * The lightweight decoder, which receives every patch; a learned token replaces the masked ones (He et al. 2022,
 * section 3).
 *
 * @module
 */
import { tensor2d, type Tensor3D } from "@tensorflow/tfjs-core";
import type { MaeConfig } from "./config.ts";
import type { Masking } from "./masking.ts";
import { addConstant } from "./ops/add.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { unshuffle } from "./ops/unshuffle.ts";
import { sinusoidalPositions } from "./positions.ts";
import { applyLinear, applyNorm, transformerBlock, type Weights } from "./transformer.ts";

/**
 * Predicts the pixels of every patch.
 *
 * @param latent the encoded visible patches, `[batch, K, embedDim]`
 * @returns `[batch, N, P·P·C]`
 */
export function decode(
  weights: Weights,
  config: MaeConfig,
  latent: Tensor3D,
  masking: Masking,
  drop?: DropoutKey,
): Tensor3D {
  const { patches } = masking, dim = config.decoderEmbedDim;
  const maskToken = weights["decoder.mask_token"] as Tensor3D; // [1, 1, decoderEmbedDim]
  const visible = applyLinear(latent, weights, "decoder.decoder_embed"); // [batch, K, decoderEmbedDim]
  const tokens = unshuffle(visible, maskToken, masking); // [batch, N, decoderEmbedDim]
  let x = addConstant(tokens, tensor2d(sinusoidalPositions(patches, dim), [patches, dim]));
  const block = { heads: config.decoderNumHeads, eps: config.layerNormEps, drop };
  for (let i = 0; i < config.decoderDepth; i++) {
    x = transformerBlock(x, weights, `decoder.decoder_blocks.${i}`, block);
  }
  const normed = applyNorm(x, weights, "decoder.decoder_norm", config.layerNormEps);
  return applyLinear(normed, weights, "decoder.decoder_pred"); // [batch, N, P·P·C]
}
