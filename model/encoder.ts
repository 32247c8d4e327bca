/**
 * The encoder, a Vision Transformer that receives only the visible patches (He et al. 2022, section 3).
 *
 * @module
 */
import type { Tensor3D } from "@tensorflow/tfjs-core";
import type { MaeConfig } from "./config.ts";
import { addConstant } from "./ops/add.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { dropPathRates } from "./ops/dropPath.ts";
import { applyLinear, applyNorm, branchesOf, transformerBlock, type Weights } from "./transformer.ts";

/**
 * Encodes patches. Masked patches are removed before the embedding, not after it: the result is the same, and the
 * embedding has a quarter of the work.
 *
 * @param patches `[batch, K, P·P·C]`
 * @param positions `[batch, K, embedDim]`, or `[1, K, embedDim]` for the whole batch
 * @returns `[batch, K, embedDim]`
 */
export function encode(
  weights: Weights,
  config: MaeConfig,
  patches: Tensor3D,
  positions: Tensor3D,
  drop?: DropoutKey,
): Tensor3D {
  const embedded = applyLinear(patches, weights, "encoder.patch_embed.projection.1"); // [batch, K, embedDim]
  let x = addConstant(embedded, positions);
  const block = { heads: config.numHeads, eps: config.layerNormEps, drop };
  for (let i = 0; i < config.depth; i++) x = transformerBlock(x, weights, `encoder.blocks.${i}`, block);
  return applyNorm(x, weights, "encoder.norm", config.layerNormEps);
}

/** Returns the rates of stochastic depth by the names of the encoder's residual branches. */
export function encoderPathRates({ depth, dropPath }: MaeConfig): ReadonlyMap<string, number> {
  return new Map(
    dropPathRates(dropPath, depth).flatMap((rate, i) =>
      branchesOf(`encoder.blocks.${i}`).map((branch) => [branch, rate])
    ),
  );
}
