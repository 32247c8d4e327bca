/**
 * The MAE's configuration: its fields, the presets, what makes one valid, and what it costs.
 *
 * @module
 */

/** Every size of a masked autoencoder (tutorial step 7, `MAE.__init__`). Immutable once a model is built. */
export interface MaeConfig {
  /** Height and width of the square input image, in pixels. */
  readonly imageSize: number;
  /** Height and width of a square patch, in pixels; divides `imageSize`. */
  readonly patchSize: number;
  /** 1 (grey) or 3 (RGB). */
  readonly inChannels: number;
  /** Width of the encoder. */
  readonly embedDim: number;
  /** Number of encoder blocks. */
  readonly depth: number;
  /** Attention heads of an encoder block; divides `embedDim`. */
  readonly numHeads: number;
  /** Width of the decoder. */
  readonly decoderEmbedDim: number;
  /** Number of decoder blocks. */
  readonly decoderDepth: number;
  /** Attention heads of a decoder block; divides `decoderEmbedDim`. */
  readonly decoderNumHeads: number;
  /** Width of an MLP's hidden layer over its input's: `int(dim * mlpRatio)`. */
  readonly mlpRatio: number;
  /** Share of the patches that is masked in training. */
  readonly maskRatio: number;
  /** Dropout probability in attention weights and MLPs while training. */
  readonly dropout: number;
}

/** Named configurations: the tutorial's MNIST model and its default, ViT-Base/16. */
export const PRESETS = {
  mnist: {
    imageSize: 28,
    patchSize: 4,
    inChannels: 1,
    embedDim: 64,
    depth: 4,
    numHeads: 4,
    decoderEmbedDim: 32,
    decoderDepth: 2,
    decoderNumHeads: 4,
    mlpRatio: 2,
    maskRatio: 0.75,
    dropout: 0,
  },
  vit_base: {
    imageSize: 224,
    patchSize: 16,
    inChannels: 3,
    embedDim: 768,
    depth: 12,
    numHeads: 12,
    decoderEmbedDim: 512,
    decoderDepth: 8,
    decoderNumHeads: 16,
    mlpRatio: 4,
    maskRatio: 0.75,
    dropout: 0,
  },
} as const satisfies Record<string, MaeConfig>;

/** Name of a preset. */
export type PresetName = keyof typeof PRESETS;

/** One thing wrong with a configuration: the field, and what would be right. */
export interface ConfigIssue {
  readonly field: keyof MaeConfig;
  readonly message: string;
}

/** Largest values taken, so that a configuration is refused before any memory is. */
export const CONFIG_LIMITS = {
  imageSize: 1024,
  patchSize: 256,
  embedDim: 4096,
  depth: 64,
  numHeads: 64,
  mlpRatio: 16,
  numPatches: 4096,
} as const;

/** Number of patches of an image, N = (imageSize / patchSize)². */
export function numPatches(config: MaeConfig): number {
  return Math.floor(config.imageSize / config.patchSize) ** 2;
}

/** Number of values in a patch, P·P·C. */
export function patchDim(config: MaeConfig): number {
  return config.patchSize * config.patchSize * config.inChannels;
}

/**
 * Number of visible patches, `int(N * (1 - ratio))` in float64 as the tutorial's step 4 has it: it truncates, so
 * N = 49 at 0.75 keeps 12, and N = 10 at 0.9 keeps none.
 */
export function numKeep(patches: number, maskRatio: number): number {
  return Math.trunc(patches * (1 - maskRatio));
}

/** Width of the MLP's hidden layer, `int(dim * mlpRatio)`. */
export function hiddenDim(dim: number, mlpRatio: number): number {
  return Math.trunc(dim * mlpRatio);
}

/** All that is wrong with a configuration; empty when it can be built. */
export function checkConfig(config: MaeConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const wrong = (field: keyof MaeConfig, message: string) => void issues.push({ field, message });
  const whole = (field: keyof MaeConfig, most: number) => {
    const value = config[field];
    if (!Number.isInteger(value) || value < 1 || value > most) {
      wrong(field, `must be a whole number from 1 to ${most}: current value is ${value}`);
    }
  };
  whole("imageSize", CONFIG_LIMITS.imageSize);
  whole("patchSize", CONFIG_LIMITS.patchSize);
  whole("embedDim", CONFIG_LIMITS.embedDim);
  whole("depth", CONFIG_LIMITS.depth);
  whole("numHeads", CONFIG_LIMITS.numHeads);
  whole("decoderEmbedDim", CONFIG_LIMITS.embedDim);
  whole("decoderDepth", CONFIG_LIMITS.depth);
  whole("decoderNumHeads", CONFIG_LIMITS.numHeads);
  if (config.inChannels !== 1 && config.inChannels !== 3) {
    wrong("inChannels", `must be 1 (grey) or 3 (RGB): current value is ${config.inChannels}`);
  }
  if (!(config.mlpRatio > 0 && config.mlpRatio <= CONFIG_LIMITS.mlpRatio)) {
    wrong(
      "mlpRatio",
      `must be above 0 and at most ${CONFIG_LIMITS.mlpRatio}: current value is ${config.mlpRatio}`,
    );
  }
  if (!(config.dropout >= 0 && config.dropout < 1)) {
    wrong("dropout", `must be at least 0 and below 1: current value is ${config.dropout}`);
  }
  if (!(config.maskRatio > 0 && config.maskRatio < 1)) {
    wrong("maskRatio", `must be above 0 and below 1: current value is ${config.maskRatio}`);
  }
  if (issues.length > 0) return issues;

  if (config.patchSize > config.imageSize) {
    wrong("patchSize", `must not be larger than the image: ${config.patchSize} > ${config.imageSize}`);
  } else if (config.imageSize % config.patchSize !== 0) {
    wrong(
      "patchSize",
      `must divide the image size: ${config.imageSize} is not a multiple of ${config.patchSize}`,
    );
  }
  if (config.embedDim % config.numHeads !== 0) {
    wrong("numHeads", `must divide embed_dim: ${config.embedDim} is not a multiple of ${config.numHeads}`);
  }
  if (config.decoderEmbedDim % config.decoderNumHeads !== 0) {
    wrong(
      "decoderNumHeads",
      `must divide decoder_embed_dim: ${config.decoderEmbedDim} is not a multiple of ${config.decoderNumHeads}`,
    );
  }
  if (config.embedDim % 2 !== 0) {
    wrong("embedDim", `must be even for sine/cosine positions: ${config.embedDim}`);
  }
  if (config.decoderEmbedDim % 2 !== 0) {
    wrong("decoderEmbedDim", `must be even for sine/cosine positions: ${config.decoderEmbedDim}`);
  }
  if (
    hiddenDim(config.embedDim, config.mlpRatio) < 1 || hiddenDim(config.decoderEmbedDim, config.mlpRatio) < 1
  ) {
    wrong("mlpRatio", `leaves the MLP no hidden unit: int(dim * ${config.mlpRatio}) is 0`);
  }
  const patches = numPatches(config);
  if (patches > CONFIG_LIMITS.numPatches) {
    wrong("patchSize", `gives ${patches} patches, at most ${CONFIG_LIMITS.numPatches} are taken`);
  }
  const keep = numKeep(patches, config.maskRatio);
  if (keep < 1) {
    wrong(
      "maskRatio",
      `keeps no patch: int(${patches} * (1 - ${config.maskRatio})) is 0, choose a lower ratio`,
    );
  } else if (keep >= patches) {
    wrong("maskRatio", `masks no patch of ${patches}, so there is no loss: choose a higher ratio`);
  }
  return issues;
}

/** Values of one transformer block: two norms, `in_proj`, `out_proj` and the MLP. */
function blockParameters(dim: number, hidden: number): number {
  return 4 * dim + 3 * dim * dim + 3 * dim + dim * dim + dim + dim * hidden + hidden + hidden * dim + dim;
}

/** Number of trainable parameters of the whole MAE (the fixed positions are not counted). */
export function parameterCount(config: MaeConfig): number {
  const { embedDim: d, decoderEmbedDim: e } = config;
  const p = patchDim(config);
  return p * d + d + config.depth * blockParameters(d, hiddenDim(d, config.mlpRatio)) + 2 * d +
    d * e + e + e + config.decoderDepth * blockParameters(e, hiddenDim(e, config.mlpRatio)) + 2 * e + e * p +
    p;
}

/** Values that a step keeps of an image for its backward pass, and what it reads of it; see {@linkcode trainingBytes}. */
function perImage(config: MaeConfig, masked: boolean): { readonly kept: number; readonly fed: number } {
  const { embedDim, decoderEmbedDim, mlpRatio, depth, decoderDepth, numHeads, decoderNumHeads } = config;
  const n = numPatches(config),
    tokens = masked ? numKeep(n, config.maskRatio) : n,
    pixels = n * patchDim(config);
  const block = (t: number, dim: number, heads: number) => {
    const hidden = hiddenDim(dim, mlpRatio), padded = Math.ceil(t / 8) * 8;
    return {
      kept: t * (8 * dim + 3 * hidden) + heads * t * padded,
      // Factors of dropout are drawn on the host.
      fed: config.dropout > 0 ? t * (hidden + dim) + heads * t * t : 0,
    };
  };
  const encoder = block(tokens, embedDim, numHeads), decoder = block(n, decoderEmbedDim, decoderNumHeads);
  const decoded = masked ? decoderDepth : 0;
  return {
    kept: depth * encoder.kept + decoded * decoder.kept + 2 * pixels,
    fed: depth * encoder.fed + decoded * decoder.fed + pixels + tokens * (patchDim(config) + embedDim),
  };
}

/**
 * Estimate of the memory that a training step needs at least, in bytes, where our kernels compute it: parameters,
 * gradients and AdamW's two moments, what is kept of one image (a batch is gone through in as small parts as have to
 * be), and two whole batches of input. Measured against the planner's own sum.
 *
 * @param masked false for a classifier, whose encoder sees every patch and which has no decoder
 */
export function trainingBytes(config: MaeConfig, batchSize: number, masked = true): number {
  const { kept, fed } = perImage(config, masked);
  return 4 * (4 * parameterCount(config) + kept + 2 * batchSize * fed);
}

/**
 * Images of one forward pass that stay within so many bytes, at least one.
 *
 * @param masked false for a classifier
 */
export function forwardBatch(config: MaeConfig, bytes: number, masked = true): number {
  return Math.max(1, Math.floor(bytes / (4 * perImage(config, masked).kept)));
}
