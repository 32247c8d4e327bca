/**
 * Estimates of the memory that training and inference need.
 *
 * @module
 */
import { hiddenDim, type MaeConfig, numKeep, numPatches, patchDim } from "./config.ts";
import { parameterCount } from "./weights.ts";

/** Scratch memory of the matrix products of one thread. */
const SCRATCH_BYTES = 2 ** 18;

/** Number of float32 values of one image: `saved` for the backward pass, and `fed` from the host. */
interface ImageValues {
  readonly saved: number;
  readonly fed: number;
}

function blockValues(config: MaeConfig, tokens: number, dim: number, heads: number): ImageValues {
  const hidden = hiddenDim(dim, config.mlpRatio), paddedTokens = Math.ceil(tokens / 8) * 8;
  return {
    saved: tokens * (8 * dim + 3 * hidden) + heads * tokens * paddedTokens,
    // The factors of dropout are drawn on the host.
    fed: config.dropout > 0 ? tokens * (hidden + dim) + heads * tokens * tokens : 0,
  };
}

function imageValues(config: MaeConfig, masked: boolean): ImageValues {
  const { embedDim, decoderEmbedDim, numHeads, decoderNumHeads, depth } = config;
  const n = numPatches(config), tokens = masked ? numKeep(n, config.maskRatio) : n;
  const pixels = n * patchDim(config);
  const encoder = blockValues(config, tokens, embedDim, numHeads);
  const decoder = blockValues(config, n, decoderEmbedDim, decoderNumHeads);
  const decoderDepth = masked ? config.decoderDepth : 0;
  return {
    saved: depth * encoder.saved + decoderDepth * decoder.saved + 2 * pixels,
    fed: depth * encoder.fed + decoderDepth * decoder.fed + pixels + tokens * (patchDim(config) + embedDim),
  };
}

/**
 * Returns a lower estimate, in bytes, of the memory of a training step on the `simd` backend: parameters, gradients and
 * AdamW's two moments, the saved values of the smallest chunk (one image), the feeds of two batches, and scratch memory.
 *
 * @param masked false for a classifier: its encoder receives every patch, and it has no decoder
 *
 * @example
 * ```ts
 * import { trainingBytes } from "./memory.ts";
 * import { PRESETS } from "./presets.ts";
 *
 * const bytes = trainingBytes(PRESETS.vit_base, 4);
 * ```
 */
export function trainingBytes(config: MaeConfig, batchSize: number, masked = true): number {
  const { saved, fed } = imageValues(config, masked);
  return SCRATCH_BYTES + 4 * (4 * parameterCount(config, { model: "mae" }) + saved + 2 * batchSize * fed);
}

/**
 * Returns the largest number of images, at least one, whose forward pass stays within `bytes`.
 *
 * @param masked false for a classifier
 */
export function forwardBatch(config: MaeConfig, bytes: number, masked = true): number {
  return Math.max(1, Math.floor(bytes / (4 * imageValues(config, masked).saved)));
}

/** Formats a number of bytes for a message. */
export function formatGib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
