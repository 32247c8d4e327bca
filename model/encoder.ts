/**
 * The encoder, which sees visible patches only (tutorial step 5; He et al. 2022, section 3).
 *
 * @module
 */
import type { Tensor3D } from "@tensorflow/tfjs-core";
import type { MaeConfig } from "./config.ts";
import { addConstant } from "./ops/add.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { applyLinear, applyNorm, transformerBlock, type Weights } from "./transformer.ts";

/**
 * Embeds patches, adds their positions and runs the blocks and the last norm. Patches are chosen before they are
 * embedded: the same numbers as the tutorial's order, at a quarter of the work.
 *
 * @param patches `[batch, K, P·P·C]`: the visible patches
 * @param positions `[batch, K, embedDim]`, or `[K, embedDim]` shared by the batch
 * @returns latent `[batch, K, embedDim]`
 */
export function encode(
  weights: Weights,
  config: MaeConfig,
  patches: Tensor3D,
  positions: Tensor3D,
  drop?: DropoutKey,
): Tensor3D {
  let x = addConstant(applyLinear(patches, weights, "encoder.patch_embed.projection.1"), positions);
  for (let i = 0; i < config.depth; i++) {
    x = transformerBlock(x, weights, `encoder.blocks.${i}`, config.numHeads, drop);
  }
  return applyNorm(x, weights, "encoder.norm");
}
