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
import { type PresetName, PRESETS } from "../../model/presets.ts";

const PRESET_NAMES = Object.keys(PRESETS).map((name) => `\`${name}\``).join(", ");

const presetSchema = z.enum(Object.keys(PRESETS) as [PresetName, ...PresetName[]]).openapi("ModelPreset");

/** Returns the name of a configuration's field in JSON. */
const wireName = (field: string) => Object.keys(toWire({ [field]: 0 }))[0];

/** Returns the schema of a field. It documents the range, and `checkConfig` enforces it with clearer messages. */
function fieldSchema({ default: _default, maeOnly: _maeOnly, ...documented }: ConfigField): z.ZodType {
  return (documented.type === "boolean" ? z.boolean() : z.number()).openapi({ ...documented } as object);
}

/** Returns the schema of an object with a preset's name and the selected fields. */
function fieldsSchema(isIncluded: (field: ConfigField) => boolean) {
  const fields = Object.entries<ConfigField>(CONFIG_FIELDS)
    .filter(([, field]) => isIncluded(field))
    .map(([name, field]) => [wireName(name), fieldSchema(field).optional()]);
  return z.strictObject({ preset: presetSchema.optional(), ...Object.fromEntries(fields) });
}

/** Resolves a preset's name, or fields that override those of a preset, to a whole configuration. */
function resolveConfig(value: PresetName | Record<string, unknown>, context: z.RefinementCtx): MaeConfig {
  const { preset = "mnist", ...fields } = typeof value === "string" ? { preset: value } : value;
  const config = { ...PRESETS[preset as PresetName], ...fromWire(fields) } as MaeConfig;
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
