/**
 * Our configuration in the snake_case of JSON.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import { CONFIG_FIELDS, type MaeConfig } from "../config.ts";
import { namedNormalization, type NormalizationName, NORMALIZATIONS } from "../normalizations.ts";
import type { Architecture } from "../weights.ts";

const FIELDS = Object.keys(CONFIG_FIELDS) as (keyof MaeConfig)[];

/** Returns the name of a field in JSON. */
export function wireName(field: keyof MaeConfig): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Returns a configuration as JSON. */
export function wireConfig(config: MaeConfig): Record<string, unknown> {
  return Object.fromEntries(FIELDS.map((field) => [wireName(field), config[field]]));
}

/** Returns a model as JSON: its configuration, what it is, and the names of its classes. */
export function modelJson(
  config: MaeConfig,
  architecture: Architecture,
  classNames: readonly string[] | null,
): Record<string, unknown> {
  const { model } = architecture;
  return {
    model,
    ...wireConfig(config),
    ...(model === "classifier" ? { classes: architecture.classes } : {}),
    ...(model === "classifier" && classNames ? { class_names: classNames } : {}),
  };
}

/**
 * Returns the fields of our configuration in a JSON object. Its other fields are returned beside them. The values are
 * not checked, except that a named normalisation must exist.
 *
 * @throws {WeightsError}
 */
export function parseWireConfig(
  json: Readonly<Record<string, unknown>>,
  file: string,
  channels: number,
): { fields: Partial<MaeConfig>; others: Record<string, unknown> } {
  const byWireName = new Map(FIELDS.map((field) => [wireName(field), field]));
  const fields: Record<string, unknown> = {}, others: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Object.entries(json)) {
    const field = byWireName.get(name);
    if (field === undefined) others[name] = value;
    else fields[field] = value;
  }
  if (typeof fields.normalize === "string") {
    const name = fields.normalize;
    if (!Object.hasOwn(NORMALIZATIONS, name)) {
      const names = Object.keys(NORMALIZATIONS).join(", ");
      throw new WeightsError(
        `${file}: normalize must be one of ${names}, or an object: current value is '${name}'`,
      );
    }
    fields.normalize = namedNormalization(name as NormalizationName, channels);
  }
  return { fields: fields as Partial<MaeConfig>, others };
}
