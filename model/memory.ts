/**
 * Estimates of the memory that training and inference need.
 *
 * @module
 */
import { hiddenDim, type MaeConfig, numKeep, numPatches, numTokens, patchDim } from "./config.ts";
import { sizeOf } from "./shape.ts";
import { type Architecture, isTrainable, parameterSpecs } from "./weights.ts";

/** Bytes of a cache line, to which a plan aligns every buffer. */
const LINE = 64;

/** Scratch memory of the matrix products of one thread, in bytes. */
const SCRATCH_BYTES = 3 * 2 ** 17;

/** Buffers of a block in a plan, and of the rest of the model. They limit what alignment adds. */
const BUFFERS = 32;

/** Heads whose attention is computed together. */
const LANES = 8;
/** Factors of stochastic depth for one image in a block: one for each branch, in a cache line of its own. */
const PATH_FACTORS = 2 * LINE / 4;

/** A model to train. */
export interface TrainableModel {
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  /** Trains the head of a classifier alone. @default false */
  readonly freezeEncoder?: boolean;
}

/** Number of float32 values of one image in a block. */
interface BlockValues {
  /** Saved for the backward pass. */
  readonly saved: number;
  /** Maximum of those that are alive only during the block's own forward or backward pass. */
  readonly transient: number;
  /** Maximum in a forward pass without a backward pass. */
  readonly forward: number;
  /** Scratch memory of attention. */
  readonly scratch: number;
  /** Factors of dropout and stochastic depth, which the host draws. */
  readonly fed: number;
}

function blockValues(
  config: MaeConfig,
  tokens: number,
  dim: number,
  mlpRatio: number,
  heads: number,
  dropPath = 0,
): BlockValues {
  const hidden = hiddenDim(dim, mlpRatio), skips = dropPath > 0, lanes = Math.ceil(heads / LANES) * LANES;
  const weights = lanes * tokens * (tokens + 1);
  return {
    // Outputs and inputs of both norms, queries, keys and values, attention, and the MLP's activation and derivative.
    saved: tokens * (8 * dim + 2 * hidden + 2) + weights,
    // With stochastic depth, a branch or its gradient is not added in place.
    transient: tokens * (3 * dim + Math.max(4 * dim, 2 * hidden) + (skips ? dim : 0)),
    forward: Math.max(tokens * (7 * dim + 2) + weights, tokens * (4 * dim + 3 * hidden + 2)),
    // Queries, keys, values and their gradients of LANES heads, and the scores of few queries.
    scratch: LANES * ((4 * tokens + 32) * Math.ceil(dim / heads) + 12 * tokens + 8),
    fed: (config.dropout > 0 ? tokens * (hidden + dim) + heads * tokens * tokens : 0) +
      (skips ? PATH_FACTORS : 0),
  };
}

/** Number of float32 values of one image. */
interface ImageValues {
  /** Saved for the backward pass. */
  readonly saved: number;
  /** Maximum of a forward pass without a backward pass. */
  readonly forward: number;
  /** Maximum of the values that are alive only during a part of the backward pass. */
  readonly transient: number;
  /** Scratch memory of one thread. */
  readonly scratch: number;
  /** Inputs from the host. */
  readonly fed: number;
  /** Constants, which are independent of the number of images. */
  readonly constant: number;
}

/** @param classes of a classifier, whose encoder receives every patch; null for a masked autoencoder */
function imageValues(config: MaeConfig, classes: number | null): ImageValues {
  const { embedDim, decoderEmbedDim, numHeads, decoderNumHeads, depth, clsToken } = config;
  const n = numTokens(config), patches = numPatches(config), patch = patchDim(config);
  const masked = classes === null, visible = masked ? numKeep(patches, config.maskRatio) : patches;
  const tokens = visible + Number(clsToken);
  const encoder = blockValues(config, tokens, embedDim, config.mlpRatio, numHeads, config.dropPath);
  const ends = tokens * (2 * embedDim + 1);
  // The order of the class token and the patches.
  const order = clsToken ? 3 * tokens : 0;
  if (!masked) {
    // The features and the logits, with their gradients. A norm has two results, a scale and a gradient.
    const head = 2 * (embedDim + classes) + (config.fcNorm ? 3 * embedDim + 1 : 0);
    return {
      saved: depth * encoder.saved + ends + head,
      forward: encoder.forward + head,
      transient: encoder.transient,
      scratch: encoder.scratch,
      fed: depth * encoder.fed + patches * patch + order + 2,
      constant: n * embedDim,
    };
  }
  const decoder = blockValues(config, n, decoderEmbedDim, config.decoderMlpRatio, decoderNumHeads);
  return {
    saved: depth * encoder.saved + config.decoderDepth * decoder.saved + ends +
      n * (2 * decoderEmbedDim + 2 * patch + 1),
    forward: Math.max(encoder.forward, decoder.forward + n * patch),
    transient: Math.max(encoder.transient, decoder.transient),
    scratch: Math.max(encoder.scratch, decoder.scratch),
    fed: depth * encoder.fed + config.decoderDepth * decoder.fed + n * (patch + 2) +
      tokens * (patch + embedDim + 1) + order + 1,
    constant: n * decoderEmbedDim,
  };
}

/**
 * Returns an upper estimate, in bytes, of the smallest memory in which the `simd` backend can train a model: one thread
 * that processes one image at a time. It contains each parameter, for a trainable one its gradient and AdamW's two
 * moments, the values that the backward pass needs, and the inputs of two batches.
 *
 * @example
 * ```ts
 * import { trainingBytes } from "./memory.ts";
 * import { PRESETS } from "./presets.ts";
 *
 * const bytes = trainingBytes({ config: PRESETS.vit_large, architecture: { model: "mae" } }, 4);
 * ```
 */
export function trainingBytes(
  { config, architecture, freezeEncoder = false }: TrainableModel,
  batchSize: number,
): number {
  const classes = architecture.model === "mae"
    ? null
    : architecture.model === "classifier"
    ? architecture.classes
    : 0;
  // A frozen encoder has neither dropout nor stochastic depth.
  const { saved, forward, transient, scratch, fed, constant } = imageValues(
    freezeEncoder ? { ...config, dropout: 0, dropPath: 0 } : config,
    classes,
  );
  const parameters = parameterSpecs(config, architecture).reduce((bytes, { name, shape }) => {
    const copies = isTrainable(name, freezeEncoder) ? 4 : 1;
    return bytes + copies * Math.ceil(4 * sizeOf(shape) / LINE) * LINE;
  }, 0);
  const blocks = config.depth + (classes === null ? config.decoderDepth : 0);
  const alignment = LINE * BUFFERS * (blocks + 2 * batchSize + 1);
  const activations = scratch + (freezeEncoder ? forward : saved + transient);
  return parameters + 4 * (activations + (2 * batchSize + 1) * fed + constant) + SCRATCH_BYTES + alignment;
}

/**
 * Returns the largest number of images, at least one, whose forward pass stays within `bytes`.
 *
 * @param masked false for a classifier
 */
export function forwardBatch(config: MaeConfig, bytes: number, masked = true): number {
  return Math.max(1, Math.floor(bytes / (4 * imageValues(config, masked ? null : 0).saved)));
}

/** Formats a number of bytes for a message. */
export function formatGib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
