/**
 * The configuration of a training that starts from a checkpoint: that of the checkpoint, with the fields that may change.
 *
 * @module
 */
import { checkConfig, type ConfigIssue } from "../checkConfig.ts";
import { CONFIG_FIELDS, type MaeConfig, MAX_PATCHES, numPatches } from "../config.ts";
import { namedNormalization, type NormalizationName } from "../normalizations.ts";
import type { ModelName } from "../weights.ts";
import { normalizationFor } from "./channels.ts";

/** Fields of a configuration to change. A normalisation may be named. */
export type ConfigChanges = Partial<Omit<MaeConfig, "normalize">> & {
  readonly normalize?: MaeConfig["normalize"] | NormalizationName;
};

type FieldName = keyof MaeConfig;

/** Fields that may change in every training. */
const ALWAYS: readonly FieldName[] = ["imageSize", "inChannels", "normalize", "dropout", "dropPath", "pool"];
const OF_MAE: readonly FieldName[] = ["maskRatio", "masking", "normPixLoss"];
const OF_CLASSIFIER: readonly FieldName[] = ["fcNorm"];
/** Fields of a decoder that the checkpoint does not have, so that it is initialised. */
const OF_NEW_DECODER: readonly FieldName[] = [
  "decoderEmbedDim",
  "decoderDepth",
  "decoderNumHeads",
  "decoderMlpRatio",
];

/** Returns the fields that a training may change. @param from model of the checkpoint @param to model to train */
export function changeableFields(from: ModelName, to: "mae" | "classifier"): readonly FieldName[] {
  if (to === "classifier") return [...ALWAYS, ...OF_CLASSIFIER];
  return [...ALWAYS, ...OF_MAE, ...(from === "mae" ? [] : OF_NEW_DECODER)];
}

/**
 * Returns the configuration of a training that starts from a checkpoint. Another image size makes the positions
 * `stored`, because the table is interpolated. Without `normalize`, another number of channels has the checkpoint's
 * normalisation in as many values.
 *
 * @param source configuration and model of the checkpoint
 * @param to model to train
 * @returns the configuration, or why it is not possible: a fixed field with another value, or an invalid combination
 *
 * @example
 * ```ts
 * import { adaptConfig } from "./adaptConfig.ts";
 * import { PRESETS } from "../presets.ts";
 *
 * const source = { config: PRESETS.mnist, model: "mae" } as const;
 * const { config } = adaptConfig(source, "classifier", { imageSize: 32 });
 * console.log(config.imageSize, config.positions); // 32 stored
 * console.log(adaptConfig(source, "classifier", { embedDim: 32 }).issues[0].field); // embedDim
 * ```
 */
export function adaptConfig(
  source: { readonly config: MaeConfig; readonly model: ModelName },
  to: "mae" | "classifier",
  changes: ConfigChanges,
): { readonly config: MaeConfig; readonly issues: readonly ConfigIssue[] } {
  const merged = mergedConfig(source.config, changes);
  const changeable = changeableFields(source.model, to);
  const fixed = (Object.keys(changes) as FieldName[])
    .filter((field) => !changeable.includes(field) && !isSame(changes[field], source.config[field]))
    .map((field) => ({ field, message: fixedMessage(source.config[field], changes[field]) }));
  if (fixed.length > 0) return { config: merged, issues: fixed };
  const sizeIssue = imageSizeIssue(merged);
  return { config: merged, issues: sizeIssue ? [sizeIssue] : checkConfig(merged, to) };
}

function mergedConfig(config: MaeConfig, changes: ConfigChanges): MaeConfig {
  const merged = { ...config, ...changes }, { inChannels } = merged;
  const normalize = changes.normalize === undefined
    ? normalizationFor(config.normalize, inChannels)
    : typeof changes.normalize === "string"
    ? namedNormalization(changes.normalize, inChannels)
    : changes.normalize;
  const positions = merged.imageSize === config.imageSize ? config.positions : "stored";
  return { ...merged, normalize, positions };
}

const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

function fixedMessage(value: unknown, given: unknown): string {
  return `must be ${JSON.stringify(value)} as in the checkpoint, or absent: current value is ${
    JSON.stringify(given)
  }`;
}

/** Returns why an image size does not fit the checkpoint's patch size, or null. */
function imageSizeIssue({ imageSize, patchSize, ...rest }: MaeConfig): ConfigIssue | null {
  const { minimum, maximum } = CONFIG_FIELDS.imageSize;
  // The other checks have clearer messages.
  if (!Number.isInteger(imageSize) || imageSize < minimum || imageSize > maximum) return null;
  if (imageSize % patchSize !== 0) {
    const message =
      `must be a multiple of the checkpoint's patch size, ${patchSize}: current value is ${imageSize}`;
    return { field: "imageSize", message };
  }
  const patches = numPatches({ imageSize, patchSize, ...rest });
  if (patches <= MAX_PATCHES) return null;
  const message = `must be smaller: an image would have ${patches} patches, more than ${MAX_PATCHES}`;
  return { field: "imageSize", message };
}
