/**
 * Arithmetic of the model: products alone, a multiplication and an addition counted as two.
 *
 * @module
 */
import { hiddenDim, type MaeConfig, numKeep, numPatches, patchDim } from "../../model/config.ts";

/** Floating-point operations of a block's forward pass over one picture. */
function block(tokens: number, dim: number, hidden: number): number {
  const linear = tokens * dim * (3 * dim + dim + 2 * hidden), attention = 2 * tokens * tokens * dim;
  return 2 * (linear + attention);
}

/** Floating-point operations of the MAE's forward pass over one picture; a step has three times as many. */
export function forwardFlops(config: MaeConfig): number {
  const { embedDim, decoderEmbedDim, depth, decoderDepth, maskRatio, mlpRatio } = config;
  const n = numPatches(config), keep = numKeep(n, maskRatio), patch = patchDim(config);
  return 2 * keep * (patch * embedDim + embedDim * decoderEmbedDim) + 2 * n * decoderEmbedDim * patch +
    depth * block(keep, embedDim, hiddenDim(embedDim, mlpRatio)) +
    decoderDepth * block(n, decoderEmbedDim, hiddenDim(decoderEmbedDim, mlpRatio));
}
