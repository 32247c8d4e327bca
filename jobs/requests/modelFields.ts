/**
 * The field `model` of a request: a preset's name, or fields that override those of a preset. The fields derive from
 * the table of the model's configuration.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { fromWire, toWire } from "../../data/wire.ts";
import { checkConfig } from "../../model/checkConfig.ts";
import { CONFIG_FIELDS, type ConfigField, type MaeConfig } from "../../model/config.ts";
import { namedNormalization, type NormalizationName, NORMALIZATIONS } from "../../model/normalizations.ts";
import { type PresetName, PRESETS } from "../../model/presets.ts";

const PRESET_NAMES = Object.keys(PRESETS).map((name) => `\`${name}\``).join(", ");

const presetSchema = z.enum(Object.keys(PRESETS) as [PresetName, ...PresetName[]]).openapi("ModelPreset");

const channelValues = z.array(z.number()).min(1).max(3);

/** The field `normalize`: a name, or means and deviations. */
const normalizeSchema = z.union([
  z.null(),
  z.enum(Object.keys(NORMALIZATIONS) as [NormalizationName]),
  z.strictObject({ mean: channelValues, std: channelValues }),
]).openapi("Normalization", { description: CONFIG_FIELDS.normalize.description });

/** Returns the name of a configuration's field in JSON. */
const wireName = (field: string) => Object.keys(toWire({ [field]: 0 }))[0];

/** Returns the schema of a field. It documents the range, and `checkConfig` enforces it with clearer messages. */
function fieldSchema({ default: _default, maeOnly: _maeOnly, ...documented }: ConfigField): z.ZodType {
  switch (documented.type) {
    case "normalization":
      return normalizeSchema;
    case "string":
      return z.enum(requestable(documented.enum)).describe(documented.description);
    case "boolean":
      return z.boolean().openapi({ ...documented } as object);
    default:
      return z.number().openapi({ ...documented } as object);
  }
}

/** Returns the values of a field that a request can choose. Only a file can have a `stored` table of positions. */
function requestable(values: readonly string[]): [string, ...string[]] {
  return values.filter((value) => value !== "stored") as [string, ...string[]];
}

/** Returns the schema of an object with a preset's name and the selected fields. */
function fieldsSchema(isIncluded: (field: ConfigField) => boolean) {
  const fields = Object.entries<ConfigField>(CONFIG_FIELDS)
    .filter(([, field]) => isIncluded(field))
    .map(([name, field]) => [wireName(name), fieldSchema(field).optional()]);
  return z.strictObject({ preset: presetSchema.optional(), ...Object.fromEntries(fields) });
}

/** The fields of a request's model. A normalisation may be named. */
type ModelOverrides = Partial<Omit<MaeConfig, "normalize">> & {
  readonly normalize?: MaeConfig["normalize"] | NormalizationName;
};

/**
 * Resolves a preset's name, or fields that override those of a preset, to a whole configuration. `mlp_ratio` applies to
 * the decoder as well, unless `decoder_mlp_ratio` is present.
 */
function resolveConfig(value: PresetName | Record<string, unknown>, context: z.RefinementCtx): MaeConfig {
  const { preset = "mnist", ...fields } = typeof value === "string" ? { preset: value } : value;
  const overrides = fromWire(fields) as ModelOverrides, base = PRESETS[preset as PresetName];
  const { mlpRatio, normalize = base.normalize, inChannels = base.inChannels } = overrides;
  const config: MaeConfig = {
    ...base,
    ...(mlpRatio !== undefined && { decoderMlpRatio: mlpRatio }),
    ...overrides,
    normalize: typeof normalize === "string" ? namedNormalization(normalize, inChannels) : normalize,
  };
  for (const { field, message } of checkConfig(config)) {
    context.addIssue({ code: "custom", path: [wireName(field)], message });
  }
  return config;
}

const { exclusiveMinimum, exclusiveMaximum } = CONFIG_FIELDS.maskRatio;
/** A mask ratio that replaces the one of a checkpoint's configuration. */
export const maskRatioSchema = z.number().gt(exclusiveMinimum).lt(exclusiveMaximum);

/** The model of a masked autoencoder. Parsing returns its whole configuration. */
export const modelSchema = z.union([presetSchema, fieldsSchema(() => true).openapi("ModelFields")])
  .transform(resolveConfig).openapi("ModelConfig", {
    description: `A preset's name (${PRESET_NAMES}), or fields that override a preset.`,
    example: { preset: "mnist", mask_ratio: 0.75 },
  });

/** The model of a classifier, which has no masking and no decoder. Parsing returns a whole configuration. */
export const classifierModelSchema = z.union([
  presetSchema,
  fieldsSchema(({ maeOnly }) => !maeOnly).openapi("ClassifierModelFields"),
]).transform(resolveConfig).openapi("ClassifierModelConfig", {
  description:
    `A preset's name (${PRESET_NAMES}), or fields that override a preset, without those of masking and the decoder.`,
  example: { preset: "mnist", depth: 6 },
});
