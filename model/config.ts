/**
 * The configuration of a masked autoencoder: one table of its fields, and the sizes derived from it.
 *
 * @module
 */

/** A number in the configuration. The keywords of its range are those of JSON Schema. */
export interface NumberField {
  readonly type: "integer" | "number";
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly enum?: readonly number[];
  readonly default: number;
  readonly description: string;
  /** True for a field of the masking or the decoder, which a classifier does not have. */
  readonly maeOnly?: true;
}

/** A switch in the configuration. */
export interface BooleanField {
  readonly type: "boolean";
  readonly default: boolean;
  readonly description: string;
  /** True for a field of the masking or the decoder, which a classifier does not have. */
  readonly maeOnly?: true;
}

/** One of several names in the configuration. */
export interface EnumField {
  readonly type: "string";
  readonly enum: readonly string[];
  readonly default: string;
  readonly description: string;
  /** True for a field of the masking or the decoder, which a classifier does not have. */
  readonly maeOnly?: true;
}

/** The normalisation of pixels in the configuration. */
export interface NormalizationField {
  readonly type: "normalization";
  readonly default: Normalization | null;
  readonly description: string;
  /** True for a field of the masking or the decoder, which a classifier does not have. */
  readonly maeOnly?: true;
}

/** Mean and standard deviation of each channel. A pixel `x` in [0, 1] becomes `(x - mean) / std`. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A field of the configuration: its type and range, its default, and its description for API users. */
export type ConfigField = NumberField | BooleanField | EnumField | NormalizationField;

/** Every field of the configuration. The defaults are the preset `mnist`. */
export const CONFIG_FIELDS = {
  imageSize: {
    type: "integer",
    minimum: 1,
    maximum: 1024,
    default: 28,
    description: "Height and width of the square input, in pixels",
  },
  patchSize: {
    type: "integer",
    minimum: 1,
    maximum: 256,
    default: 4,
    description: "Height and width of a patch; divides image_size",
  },
  inChannels: { type: "integer", enum: [1, 3], default: 1, description: "1 (grey) or 3 (RGB)" },
  embedDim: {
    type: "integer",
    minimum: 1,
    maximum: 4096,
    multipleOf: 2,
    default: 64,
    description: "Width of the encoder",
  },
  depth: { type: "integer", minimum: 1, maximum: 64, default: 4, description: "Encoder blocks" },
  numHeads: {
    type: "integer",
    minimum: 1,
    maximum: 64,
    default: 4,
    description: "Attention heads of an encoder block; divides embed_dim",
  },
  decoderEmbedDim: {
    type: "integer",
    minimum: 1,
    maximum: 4096,
    multipleOf: 2,
    default: 32,
    description: "Width of the decoder",
    maeOnly: true,
  },
  decoderDepth: {
    type: "integer",
    minimum: 1,
    maximum: 64,
    default: 2,
    description: "Decoder blocks",
    maeOnly: true,
  },
  decoderNumHeads: {
    type: "integer",
    minimum: 1,
    maximum: 64,
    default: 4,
    description: "Attention heads of a decoder block; divides decoder_embed_dim",
    maeOnly: true,
  },
  mlpRatio: {
    type: "number",
    exclusiveMinimum: 0,
    maximum: 16,
    default: 2,
    description: "Hidden width of an MLP over its input's",
  },
  decoderMlpRatio: {
    type: "number",
    exclusiveMinimum: 0,
    maximum: 16,
    default: 2,
    description: "Hidden width of a decoder MLP over its input's; that of mlp_ratio by default",
    maeOnly: true,
  },
  clsToken: {
    type: "boolean",
    default: false,
    description: "Put a class token before the patch tokens. It is never masked",
  },
  positions: {
    type: "string",
    enum: ["sincos_1d", "sincos_2d", "stored"],
    default: "sincos_1d",
    description:
      "Fixed positions: sine and cosine of the patch's number (`sincos_1d`) or of its column and row (`sincos_2d`), or a " +
      "table in the checkpoint's file (`stored`), which an imported or resized model may have",
  },
  layerNormEps: {
    type: "number",
    exclusiveMinimum: 0,
    maximum: 0.1,
    default: 1e-5,
    description: "Term that layer norms add to the variance",
  },
  pool: {
    type: "string",
    enum: ["mean", "cls"],
    default: "mean",
    description: "Features of an image: the mean over its patch tokens, or the class token",
  },
  fcNorm: {
    type: "boolean",
    default: false,
    description: "Give a classifier a layer norm after the pooling, instead of the encoder's last one",
  },
  normPixLoss: {
    type: "boolean",
    default: false,
    description: "Predict the pixels of a patch normalised by the patch's mean and variance",
    maeOnly: true,
  },
  masking: {
    type: "string",
    enum: ["random", "block", "grid"],
    default: "random",
    description: "How masked patches are chosen: one by one, in rectangles, or on a regular grid",
    maeOnly: true,
  },
  normalize: {
    type: "normalization",
    default: null,
    description: "Mean and standard deviation of each channel, by which pixels in [0, 1] are normalised",
  },
  maskRatio: {
    type: "number",
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.75,
    description: "Share of patches masked in training",
    maeOnly: true,
  },
  dropout: {
    type: "number",
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0,
    description: "Dropout probability while training",
  },
  dropPath: {
    type: "number",
    minimum: 0,
    exclusiveMaximum: 1,
    default: 0,
    description:
      "Probability of skipping a branch of the encoder's last block while training (stochastic depth); it rises from 0 " +
      "at the first block",
  },
} as const satisfies Readonly<Record<string, ConfigField>>;

/** The configuration of a masked autoencoder. A model does not change it. */
export type MaeConfig = {
  readonly [Name in keyof typeof CONFIG_FIELDS]: FieldValue<(typeof CONFIG_FIELDS)[Name]>;
};

/** The type of a field's value. */
type FieldValue<Field extends ConfigField> = Field extends BooleanField ? boolean
  : Field extends EnumField ? Field["enum"][number]
  : Field extends NormalizationField ? Normalization | null
  : number;

/** Maximum number of patches of an image. */
export const MAX_PATCHES = 4096;

const DEFAULTS = Object.fromEntries(
  Object.entries(CONFIG_FIELDS).map(([name, field]) => [name, field.default]),
) as MaeConfig;

/**
 * Returns a configuration in which every absent field has its default. A configuration that an earlier version stored
 * lacks the fields that were added since. Without `decoderMlpRatio`, the decoder has the `mlpRatio` of the encoder.
 *
 * @example
 * ```ts
 * import { completeConfig, numPatches } from "./config.ts";
 *
 * const config = completeConfig({ imageSize: 32, inChannels: 3 });
 * console.log(config.patchSize, numPatches(config)); // 4 64
 * ```
 */
export function completeConfig(fields: Partial<MaeConfig>): MaeConfig {
  const { mlpRatio = DEFAULTS.mlpRatio } = fields;
  return { ...DEFAULTS, decoderMlpRatio: mlpRatio, ...fields };
}

/** Number of patches of an image, N = (imageSize / patchSize)². */
export function numPatches(config: MaeConfig): number {
  return Math.floor(config.imageSize / config.patchSize) ** 2;
}

/** Number of tokens of an image in the encoder: its patches, and the class token if there is one. */
export function numTokens(config: MaeConfig): number {
  return numPatches(config) + (config.clsToken ? 1 : 0);
}

/** Number of values in a patch, P·P·C. */
export function patchDim(config: MaeConfig): number {
  return config.patchSize * config.patchSize * config.inChannels;
}

/** Number of values in an image, H·W·C. */
export function imageDim(config: MaeConfig): number {
  return config.imageSize * config.imageSize * config.inChannels;
}

/**
 * Number of visible patches, `int(N * (1 - maskRatio))` in float64. It truncates: N = 49 at 0.75 keeps 12 patches, and
 * N = 10 at 0.9 keeps none.
 *
 * @example
 * ```ts
 * import { numKeep } from "./config.ts";
 *
 * console.log(numKeep(49, 0.75)); // 12
 * ```
 */
export function numKeep(patches: number, maskRatio: number): number {
  return Math.trunc(patches * (1 - maskRatio));
}

/**
 * Returns a mask ratio with which {@linkcode numKeep} returns `keep`. It is between two whole numbers of patches, so that
 * rounding does not matter.
 */
export function ratioThatKeeps(patches: number, keep: number): number {
  return 1 - (keep + 0.5) / patches;
}

/** Width of an MLP's hidden layer, `int(dim * mlpRatio)`. */
export function hiddenDim(dim: number, mlpRatio: number): number {
  return Math.trunc(dim * mlpRatio);
}
