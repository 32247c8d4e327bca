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

/** A field of the configuration: its type and range, its default, and its description for API users. */
export type ConfigField = NumberField | BooleanField;

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
} as const satisfies Readonly<Record<string, ConfigField>>;

/** The configuration of a masked autoencoder. A model does not change it. */
export type MaeConfig = {
  readonly [Name in keyof typeof CONFIG_FIELDS]: (typeof CONFIG_FIELDS)[Name] extends BooleanField ? boolean
    : number;
};

/** Maximum number of patches of an image. */
export const MAX_PATCHES = 4096;

const DEFAULTS = Object.fromEntries(
  Object.entries(CONFIG_FIELDS).map(([name, field]) => [name, field.default]),
) as MaeConfig;

/**
 * Returns a configuration in which every absent field has its default. A configuration that an earlier version stored
 * lacks the fields that were added since.
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
  return { ...DEFAULTS, ...fields };
}

/** Number of patches of an image, N = (imageSize / patchSize)². */
export function numPatches(config: MaeConfig): number {
  return Math.floor(config.imageSize / config.patchSize) ** 2;
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

/** Width of an MLP's hidden layer, `int(dim * mlpRatio)`. */
export function hiddenDim(dim: number, mlpRatio: number): number {
  return Math.trunc(dim * mlpRatio);
}
