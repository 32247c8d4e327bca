/**
 * Joins the fields that follow from the shapes of tensors, those of files, and assumed ones.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import { completeConfig, hiddenDim, type MaeConfig } from "../config.ts";
import { namedNormalization, type NormalizationName, NORMALIZATIONS } from "../normalizations.ts";
import type { InferredConfig } from "./inferVit.ts";
import { shortJson } from "./jsonFields.ts";
import { wireName } from "./wireConfig.ts";

/** Heads by width, of published models (He et al. 2022; timm's tiny and small) and of the tutorial. */
const HEADS: Readonly<Record<number, number>> = {
  64: 4,
  192: 3,
  384: 6,
  768: 12,
  1024: 16,
  1280: 16,
};

/** Heads of a decoder by width, of He et al. 2022 and of the tutorial. */
const DECODER_HEADS: Readonly<Record<number, number>> = { 32: 4, 512: 16 };

/** The decoder of He et al. 2022, for an encoder whose files describe none. */
export const PUBLISHED_DECODER = {
  decoderEmbedDim: 512,
  decoderDepth: 8,
  decoderNumHeads: 16,
  decoderMlpRatio: 4,
} as const;

/** A source of configuration, such as `config.json`. */
export interface GivenFields {
  readonly file: string;
  readonly fields: Partial<MaeConfig>;
}

/** Returns all given fields. @throws {WeightsError} when two sources differ, or one of them and the tensors */
export function mergeGiven(inferred: InferredConfig, given: readonly GivenFields[]): Partial<MaeConfig> {
  const merged: Record<string, unknown> = { ...inferred };
  const sources = new Map(Object.keys(inferred).map((field) => [field, "the tensors"]));
  for (const { file, fields } of given) {
    for (const [field, value] of Object.entries(fields) as [keyof MaeConfig, unknown][]) {
      const source = sources.get(field);
      if (source !== undefined && !isSame(field, value, merged)) {
        const name = wireName(field);
        throw new WeightsError(
          `${name} is ${shortJson(value)} in ${file} and ${
            shortJson(merged[field])
          } in ${source}: it must be the same`,
        );
      }
      if (source === undefined) {
        sources.set(field, file);
        merged[field] = value;
      }
    }
  }
  return merged as Partial<MaeConfig>;
}

/** Returns whether a value is the merged one. Ratios are the same when the hidden widths are. */
function isSame(field: keyof MaeConfig, value: unknown, merged: Record<string, unknown>): boolean {
  if ((field === "mlpRatio" || field === "decoderMlpRatio") && typeof value === "number") {
    const dim = Number(merged[field === "mlpRatio" ? "embedDim" : "decoderEmbedDim"]);
    return hiddenDim(dim, value) === hiddenDim(dim, Number(merged[field]));
  }
  return JSON.stringify(value) === JSON.stringify(merged[field]);
}

/**
 * Returns the complete configuration: assumed values for fields that neither tensors nor files give, and notes that name
 * them.
 *
 * @param unused values of fields that the model does not use yet, such as those of a decoder that it may get later
 * @throws {WeightsError} when the number of heads is unknown
 */
export function assumeFields(
  fields: Partial<MaeConfig>,
  assumed: Partial<MaeConfig>,
  hasDecoder: boolean,
  unused: Partial<MaeConfig> = {},
): { config: MaeConfig; notes: string[] } {
  const heads = {
    numHeads: headsOf(fields, "numHeads", "embedDim", HEADS),
    ...(hasDecoder
      ? { decoderNumHeads: headsOf(fields, "decoderNumHeads", "decoderEmbedDim", DECODER_HEADS) }
      : {}),
  };
  const added: Partial<MaeConfig> = { ...heads, ...assumed };
  const names = (Object.keys(added) as (keyof MaeConfig)[]).filter((field) => fields[field] === undefined);
  const values = names.map((field) => `${wireName(field)} ${valueText(field, added)}`);
  const notes = names.length === 0
    ? []
    : [`Assumed, because the files do not contain it: ${values.join(", ")}`];
  return { config: completeConfig({ ...unused, ...added, ...fields }), notes };
}

/** Returns a value as a request has it: a normalisation by its name. */
function valueText(field: keyof MaeConfig, fields: Partial<MaeConfig>): string {
  const value = fields[field];
  if (field !== "normalize") return typeof value === "string" ? value : shortJson(value);
  const names = Object.keys(NORMALIZATIONS) as NormalizationName[];
  const named = (name: NormalizationName) => namedNormalization(name, fields.normalize?.mean.length ?? 0);
  return names.find((name) => JSON.stringify(named(name)) === JSON.stringify(value)) ?? shortJson(value);
}

function headsOf(
  fields: Partial<MaeConfig>,
  field: "numHeads" | "decoderNumHeads",
  widthField: "embedDim" | "decoderEmbedDim",
  table: Readonly<Record<number, number>>,
): number {
  const given = fields[field], width = fields[widthField]!;
  const heads = given ?? table[width];
  if (heads !== undefined) return heads;
  throw new WeightsError(
    `The number of attention heads is unknown: it does not follow from the tensors, and no published model has ` +
      `${wireName(widthField)} ${width}. Add a config.json with ${wireName(field)}, such as {"${
        wireName(field)
      }": 8}`,
  );
}
