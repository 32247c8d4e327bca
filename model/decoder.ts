/**
 * The light decoder, which sees every patch, masked ones as a learnt token (tutorial step 6).
 *
 * @module
 */
import type { Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";
import type { MaeConfig } from "./config.ts";
import type { Masking } from "./masking.ts";
import { addConstant } from "./ops/add.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { unshuffle } from "./ops/unshuffle.ts";
import { applyLinear, applyNorm, transformerBlock, type Weights } from "./transformer.ts";

/**
 * Predicts the pixels of every patch from the visible ones.
 *
 * @param latent `[batch, K, embedDim]`
 * @param positions `[N, decoderEmbedDim]`
 * @returns `[batch, N, P·P·C]`
 */
export function decode(
  weights: Weights,
  config: MaeConfig,
  latent: Tensor3D,
  masking: Masking,
  positions: Tensor2D,
  drop?: DropoutKey,
): Tensor3D {
  const visible = applyLinear(latent, weights, "decoder.decoder_embed"); // [batch, K, decoderEmbedDim]
  const full = unshuffle(visible, weights["decoder.mask_token"] as Tensor3D, masking); // [batch, N, decoderEmbedDim]
  let x = addConstant(full, positions);
  for (let i = 0; i < config.decoderDepth; i++) {
    x = transformerBlock(x, weights, `decoder.decoder_blocks.${i}`, config.decoderNumHeads, drop);
  }
  return applyLinear(applyNorm(x, weights, "decoder.decoder_norm"), weights, "decoder.decoder_pred");
}
