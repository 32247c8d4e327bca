/**
 * Floating-point operations of the model. Only matrix products count, with two operations per multiply-add.
 *
 * @module
 */
import { hiddenDim, type MaeConfig, numKeep, numPatches, numTokens, patchDim } from "./config.ts";

/** Operations of one transformer block for one image. */
function blockFlops(tokens: number, dim: number, mlpRatio: number): number {
  const linear = tokens * dim * (3 * dim + dim + 2 * hiddenDim(dim, mlpRatio));
  return 2 * (linear + 2 * tokens * tokens * dim);
}

function encoderFlops(config: MaeConfig, patches: number): number {
  const { embedDim, depth, mlpRatio } = config, tokens = patches + Number(config.clsToken);
  return 2 * patches * patchDim(config) * embedDim + depth * blockFlops(tokens, embedDim, mlpRatio);
}

/**
 * Operations of the MAE's forward pass for one image. A training step has three times as many.
 *
 * @example
 * ```ts
 * import { forwardFlops } from "./flops.ts";
 * import { PRESETS } from "./presets.ts";
 *
 * const stepFlops = 3 * 128 * forwardFlops(PRESETS.mnist); // a training step of 128 images
 * ```
 */
export function forwardFlops(config: MaeConfig): number {
  const { embedDim, decoderEmbedDim, decoderDepth, maskRatio, decoderMlpRatio } = config;
  const keep = numKeep(numPatches(config), maskRatio), visible = keep + Number(config.clsToken);
  const tokens = numTokens(config);
  return encoderFlops(config, keep) + 2 * visible * embedDim * decoderEmbedDim +
    2 * tokens * decoderEmbedDim * patchDim(config) +
    decoderDepth * blockFlops(tokens, decoderEmbedDim, decoderMlpRatio);
}

/** Operations of a classifier's head for one image. Its gradient has as many. */
export function headFlops({ embedDim }: MaeConfig, classes: number): number {
  return 2 * embedDim * classes;
}

/** Operations of the classifier's forward pass for one image, without the head. */
export function classifierFlops(config: MaeConfig): number {
  return encoderFlops(config, numPatches(config));
}
