/**
 * Our own fields in a `config.json`.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { MaeConfig } from "../config.ts";
import { JsonFields } from "./jsonFields.ts";
import { nameList } from "./tensorSet.ts";
import { parseWireConfig } from "./wireConfig.ts";

/** The content of a `config.json`, in our fields. */
export interface ModelJson {
  readonly fields: Partial<MaeConfig>;
  readonly model?: string;
  /** Number of classes, 0 for a model without a head. */
  readonly classes?: number;
  readonly classNames: readonly string[] | null;
}

/** The fields of our `config.json` beside those of the configuration. */
const OTHER_FIELDS = ["model", "classes", "class_names", "format"];

/**
 * Reads a `config.json` with our fields.
 *
 * @param file its name in messages
 * @param channels of the model, for a named normalisation
 * @throws {WeightsError} for the file of another library, and for a field that we do not have
 */
export function parseModelJson(
  json: Readonly<Record<string, unknown>>,
  file: string,
  channels: number,
): ModelJson {
  const foreign = foreignModel(json);
  if (foreign !== null) {
    throw new WeightsError(`${file} is that of another model, ${foreign}, and the tensors have other names`);
  }
  const { fields, others } = parseWireConfig(json, file, channels);
  const unknown = Object.keys(others).filter((name) => !OTHER_FIELDS.includes(name));
  if (unknown.length > 0) {
    throw new WeightsError(
      `${file} has unknown fields: ${
        nameList(unknown)
      }. It must have our fields of a model, such as num_heads`,
    );
  }
  const reader = new JsonFields(others, file);
  const names = others.class_names ?? null;
  if (names !== null && !(Array.isArray(names) && names.every((name) => typeof name === "string"))) {
    throw reader.error("class_names", "a list of names");
  }
  return {
    fields,
    ...(others.model === undefined ? {} : { model: reader.text("model", "") }),
    ...(others.classes === undefined ? {} : { classes: reader.count("classes", 1) }),
    classNames: names as string[] | null,
  };
}

/** Returns the model that a `config.json` of transformers or timm names, or null. */
export function foreignModel(json: Readonly<Record<string, unknown>>): string | null {
  for (const field of ["model_type", "architecture", "architectures"]) {
    const value = json[field];
    if (value !== undefined && value !== null) return `${field} ${JSON.stringify(value).slice(0, 80)}`;
  }
  return null;
}

/** Parses a JSON object in a text. @throws {WeightsError} */
export function parseJsonObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WeightsError(`${what} is not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new WeightsError(`${what} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}
