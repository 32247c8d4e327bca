/**
 * The checks of a configuration: each field against its entry in the table, then the fields against each other.
 *
 * @module
 */
import {
  CONFIG_FIELDS,
  type ConfigField,
  hiddenDim,
  type MaeConfig,
  MAX_PATCHES,
  type Normalization,
  numKeep,
  numPatches,
  patchDim,
} from "./config.ts";
import type { Architecture } from "./weights.ts";

/** A field that makes a configuration invalid, and what would be valid. */
export interface ConfigIssue {
  readonly field: keyof MaeConfig;
  readonly message: string;
}

/**
 * Returns every issue of a configuration: none if a model can be built from it.
 *
 * @param model what is built. Fields of a decoder and of masks need not agree with the others without a decoder
 *
 * @example
 * ```ts
 * import { checkConfig } from "./checkConfig.ts";
 * import { completeConfig } from "./config.ts";
 *
 * const issues = checkConfig(completeConfig({ patchSize: 5 }));
 * console.log(issues[0].field); // patchSize
 * ```
 */
export function checkConfig(config: MaeConfig, model: Architecture["model"] = "mae"): ConfigIssue[] {
  const names = Object.keys(CONFIG_FIELDS) as (keyof MaeConfig)[];
  const issues = names.flatMap((field) => {
    const message = valueIssue(CONFIG_FIELDS[field], config[field]);
    return message === null ? [] : [{ field, message }];
  });
  if (issues.length > 0) return issues;
  const isUsed = ({ field }: ConfigIssue) =>
    model === "mae" || !(CONFIG_FIELDS[field] as ConfigField).maeOnly;
  return combinationIssues(config).filter(isUsed);
}

/** Returns why a mask ratio cannot be used with a configuration, or null when it can. */
export function maskRatioIssue(config: MaeConfig, maskRatio: number): string | null {
  const patches = numPatches(config), keep = numKeep(patches, maskRatio);
  if (keep < 1) return `keeps no patch of ${patches}: choose a ratio below ${maskRatio}`;
  if (keep >= patches) return `masks no patch of ${patches}: choose a ratio above ${maskRatio}`;
  return null;
}

/** Returns why a value is outside the range of its field, or null. Multiples are checked with the combinations. */
function valueIssue(field: ConfigField, value: MaeConfig[keyof MaeConfig]): string | null {
  const rule = rangeRule(field);
  return isInRange(field, value)
    ? null
    : `must be ${rule}: current value is ${typeof value === "number" ? value : JSON.stringify(value)}`;
}

function isInRange(field: ConfigField, value: MaeConfig[keyof MaeConfig]): boolean {
  if (field.type === "boolean") return typeof value === "boolean";
  if (field.type === "string") return typeof value === "string" && field.enum.includes(value);
  if (field.type === "normalization") return value === null || isNormalization(value);
  if (typeof value !== "number") return false;
  const {
    minimum = -Infinity,
    exclusiveMinimum = -Infinity,
    maximum = Infinity,
    exclusiveMaximum = Infinity,
  } = field;
  return (field.type === "number" || Number.isInteger(value)) && (field.enum?.includes(value) ?? true) &&
    value >= minimum && value > exclusiveMinimum && value <= maximum && value < exclusiveMaximum;
}

/** Returns whether a value has as many finite means as positive finite deviations. */
function isNormalization(value: unknown): value is Normalization {
  if (typeof value !== "object" || value === null) return false;
  const { mean, std } = value as Partial<Normalization>;
  return Array.isArray(mean) && Array.isArray(std) && mean.length === std.length &&
    mean.every(Number.isFinite) && std.every((deviation) => Number.isFinite(deviation) && deviation > 0);
}

function rangeRule(field: ConfigField): string {
  if (field.type === "boolean") return "true or false";
  if (field.type === "string") return `one of ${field.enum.join(", ")}`;
  if (field.type === "normalization") {
    return "null, or an object with mean and std: one number for each channel, every std above 0";
  }
  if (field.enum) return field.enum.join(" or ");
  if (field.type === "integer") return `a whole number from ${field.minimum} to ${field.maximum}`;
  const lower = field.minimum === undefined ? `above ${field.exclusiveMinimum}` : `at least ${field.minimum}`;
  const upper = field.maximum === undefined ? `below ${field.exclusiveMaximum}` : `at most ${field.maximum}`;
  return `${lower} and ${upper}`;
}

/** Returns the issues between fields that are each within their range. */
function combinationIssues(config: MaeConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const report = (field: keyof MaeConfig, message: string) => void issues.push({ field, message });
  const { imageSize, patchSize, embedDim, decoderEmbedDim, numHeads, decoderNumHeads } = config;
  if (patchSize > imageSize) {
    report("patchSize", `must not be larger than the image: ${patchSize} > ${imageSize}`);
  } else if (imageSize % patchSize !== 0) {
    report("patchSize", `must divide the image size: ${imageSize} is not a multiple of ${patchSize}`);
  }
  if (embedDim % numHeads !== 0) {
    report("numHeads", `must divide embed_dim: ${embedDim} is not a multiple of ${numHeads}`);
  }
  if (decoderEmbedDim % decoderNumHeads !== 0) {
    report(
      "decoderNumHeads",
      `must divide decoder_embed_dim: ${decoderEmbedDim} is not a multiple of ${decoderNumHeads}`,
    );
  }
  for (const field of ["embedDim", "decoderEmbedDim"] as const) {
    if (config[field] % CONFIG_FIELDS[field].multipleOf !== 0) {
      report(
        field,
        `must be even, for pairs of sine and cosine positions: current value is ${config[field]}`,
      );
    }
  }
  for (const [field, dim] of [["mlpRatio", embedDim], ["decoderMlpRatio", decoderEmbedDim]] as const) {
    if (hiddenDim(dim, config[field]) < 1) {
      report(field, `leaves the MLP no hidden unit: int(${dim} * ${config[field]}) is 0`);
    }
  }
  if (config.positions === "sincos_2d") {
    for (const field of ["embedDim", "decoderEmbedDim"] as const) {
      if (config[field] % 4 === 0) continue;
      report(field, `must be a multiple of 4 for positions sincos_2d: current value is ${config[field]}`);
    }
  }
  if (config.pool === "cls" && !config.clsToken) {
    report("pool", "must be mean without a class token: set cls_token to true for cls");
  }
  if (config.normPixLoss && patchDim(config) < 2) {
    report("normPixLoss", "must be false for patches of one value, which have no variance");
  }
  const { normalize, inChannels } = config;
  if (normalize !== null && normalize.mean.length !== inChannels) {
    const count = inChannels === 1 ? "1 mean and deviation" : `${inChannels} means and deviations`;
    report("normalize", `must have ${count}, one for each channel`);
  }
  const patches = numPatches(config);
  if (patches > MAX_PATCHES) {
    report("patchSize", `must be larger: an image would have ${patches} patches, more than ${MAX_PATCHES}`);
  }
  const ratioIssue = maskRatioIssue(config, config.maskRatio);
  if (ratioIssue !== null) report("maskRatio", ratioIssue);
  return issues;
}
