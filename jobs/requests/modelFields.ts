/**
 * The field `model` of a request: a preset's name, or fields that override those of a preset. The fields derive from
 * the table of the model's configuration.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { fromWire, toWire } from "../../data/wire.ts";
import { checkConfig } from "../../model/checkConfig.ts";
import type { ConfigChanges } from "../../model/adapt/adaptConfig.ts";
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
  z.strictObject({
    mean: channelValues.describe("Mean of each channel"),
    std: channelValues.describe("Standard deviation of each channel, above 0"),
  }),
]).openapi("Normalization", { description: CONFIG_FIELDS.normalize.description });

/** Returns the name of a configuration's field in JSON. */
export const wireName = (field: string) => Object.keys(toWire({ [field]: 0 }))[0];

/** Returns the schema of a field. It documents the range, and `checkConfig` enforces it with clearer messages. */
function fieldSchema({ default: _default, maeOnly: _maeOnly, ...documented }: ConfigField): z.ZodType {
  switch (documented.type) {
    case "normalization":
      return normalizeSchema;
    case "string":
      return z.enum(documented.enum as [string, ...string[]]).describe(documented.description);
    case "boolean":
      return z.boolean().openapi({ ...documented } as object);
    default:
      return z.number().openapi({ ...documented } as object);
  }
}

/** Returns the schema of an object with a preset's name and the selected fields. */
function fieldsSchema(isIncluded: (field: ConfigField) => boolean) {
  const fields = Object.entries<ConfigField>(CONFIG_FIELDS)
    .filter(([, field]) => isIncluded(field))
    .map(([name, field]) => [wireName(name), fieldSchema(field).optional()]);
  return z.strictObject({ preset: presetSchema.optional(), ...Object.fromEntries(fields) });
}

/** The field `model` of a request: a preset's name, or fields in snake_case. */
export type ModelField = PresetName | Readonly<Record<string, unknown>>;

/**
 * Resolves the model of a training from random weights to a whole configuration. Fields override those of a preset.
 * `mlp_ratio` applies to the decoder as well, unless `decoder_mlp_ratio` is present.
 */
export function resolveConfig(value: ModelField, context: z.RefinementCtx): MaeConfig {
  const { preset = "mnist", ...fields } = typeof value === "string" ? { preset: value } : value;
  const overrides = fromWire(fields) as ConfigChanges, base = PRESETS[preset as PresetName];
  const { mlpRatio, normalize = base.normalize, inChannels = base.inChannels } = overrides;
  const config: MaeConfig = {
    ...base,
    ...(mlpRatio !== undefined && { decoderMlpRatio: mlpRatio }),
    ...overrides,
    normalize: typeof normalize === "string" ? namedNormalization(normalize, inChannels) : normalize,
  };
  const report = (field: string, message: string) =>
    context.addIssue({ code: "custom", path: ["model", wireName(field)], message });
  if (config.positions === "stored") {
    report(
      "positions",
      "must be sincos_1d or sincos_2d: only the file of a checkpoint can have a stored table",
    );
  }
  for (const { field, message } of checkConfig(config)) report(field, message);
  return config;
}

/** Returns the fields of a checkpoint's configuration that a request changes. */
export function resolveChanges(value: ModelField, context: z.RefinementCtx): ConfigChanges {
  if (typeof value !== "string" && value.preset === undefined) return fromWire(value) as ConfigChanges;
  const path = typeof value === "string" ? ["model"] : ["model", "preset"];
  const message =
    "must not be a preset, because the checkpoint has a configuration: give the fields to change";
  context.addIssue({ code: "custom", path, message });
  return {};
}

const { exclusiveMinimum, exclusiveMaximum } = CONFIG_FIELDS.maskRatio;
/** A mask ratio that replaces the one of a checkpoint's configuration. */
export const maskRatioSchema = z.number().gt(exclusiveMinimum).lt(exclusiveMaximum);
/** How masked patches are chosen, instead of the way of a checkpoint's configuration. */
export const maskingSchema = z.enum(CONFIG_FIELDS.masking.enum);

const FIELDS = "fields that override those of a preset, or of the checkpoint";

/** The model of a masked autoencoder. */
export const modelSchema = z.union([presetSchema, fieldsSchema(() => true).openapi("ModelFields")])
  .openapi("ModelConfig", {
    description: `A preset's name (${PRESET_NAMES}), or ${FIELDS}.`,
    example: { preset: "mnist", mask_ratio: 0.75 },
  });

/** The model of a classifier, which has no masking and no decoder. */
export const classifierModelSchema = z.union([
  presetSchema,
  fieldsSchema(({ maeOnly }) => !maeOnly).openapi("ClassifierModelFields"),
]).openapi("ClassifierModelConfig", {
  description: `A preset's name (${PRESET_NAMES}), or ${FIELDS}, without those of masking and the decoder.`,
  example: { preset: "mnist", depth: 6 },
});
