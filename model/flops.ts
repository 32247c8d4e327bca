/**
 * Arithmetic of the model: products alone, a multiplication and an addition counted as two.
 *
 * @module
 */
import { hiddenDim, type MaeConfig, numKeep, numPatches, patchDim } from "./config.ts";

/** Floating-point operations of a block's forward pass over one image. */
function block(tokens: number, dim: number, mlpRatio: number): number {
  const linear = tokens * dim * (3 * dim + dim + 2 * hiddenDim(dim, mlpRatio));
  return 2 * (linear + 2 * tokens * tokens * dim);
}

/** Those of the encoder over so many patches. */
function encoder(config: MaeConfig, patches: number): number {
  const { embedDim, depth, mlpRatio } = config;
  return 2 * patches * patchDim(config) * embedDim + depth * block(patches, embedDim, mlpRatio);
}

/** Floating-point operations of the MAE's forward pass over one image; a training step has three times as many. */
export function forwardFlops(config: MaeConfig): number {
  const { embedDim, decoderEmbedDim, decoderDepth, maskRatio, mlpRatio } = config;
  const n = numPatches(config), keep = numKeep(n, maskRatio);
  return encoder(config, keep) + 2 * keep * embedDim * decoderEmbedDim +
    2 * n * decoderEmbedDim * patchDim(config) + decoderDepth * block(n, decoderEmbedDim, mlpRatio);
}

/** The same of the classifier, which sees every patch. */
export function classifierFlops(config: MaeConfig): number {
  return encoder(config, numPatches(config));
}
