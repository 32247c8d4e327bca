/**
 * Infers the sizes of a Vision Transformer from the shapes of its tensors.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { MaeConfig } from "../config.ts";
import type { Architecture } from "../weights.ts";
import { mlpRatioOf } from "./mlpRatio.ts";
import { countBlocks, type TensorSet } from "./tensorSet.ts";

/** Where a format has the tensors whose shapes give the sizes. */
export interface SizeNames {
  readonly clsToken: string;
  readonly positions: string;
  readonly fcNorm: string;
  readonly head: string;
  /** Prefix of the encoder's blocks, such as `blocks.`. */
  readonly blocks: string;
  readonly decoderEmbed: string;
  readonly decoderBlocks: string;
  /** Name of an MLP's first weight within a block. */
  readonly fc1: string;
}

/** Sizes and features that the shapes of tensors determine. */
export type InferredConfig = Partial<{ -readonly [Field in keyof MaeConfig]: MaeConfig[Field] }>;

/** Returns what the model is. @throws {WeightsError} when it has a decoder and a head */
export function inferArchitecture(set: TensorSet, names: SizeNames): Architecture {
  const head = set.get(names.head), hasDecoder = set.has(names.decoderEmbed);
  if (head && hasDecoder) {
    throw new WeightsError(
      `The file has a decoder ('${names.decoderEmbed}') and a head ('${names.head}'): a model has one of them, so remove ` +
        "the other",
    );
  }
  if (head) return { model: "classifier", classes: dimension(set, names.head, 0) };
  return { model: hasDecoder ? "mae" : "encoder" };
}

/** Checks a number of classes that a file gives. @param field its name in messages @throws {WeightsError} */
export function checkClassCount(
  architecture: Architecture,
  classes: number | undefined,
  field: string,
): void {
  const rows = architecture.model === "classifier" ? architecture.classes : 0;
  if (classes === undefined || classes === rows) return;
  throw new WeightsError(
    `${field} is ${classes}, and ` +
      (rows === 0 ? "the file has no head.weight" : `head.weight has ${rows} rows`) + ": they must agree",
  );
}

/**
 * Returns the sizes of a model except those of its patches.
 *
 * @param embedDim the width of the encoder
 * @throws {WeightsError}
 */
export function inferSizes(set: TensorSet, names: SizeNames, embedDim: number): InferredConfig {
  const sizes: InferredConfig = {
    embedDim,
    depth: countBlocks(set, names.blocks),
    clsToken: set.has(names.clsToken),
  };
  // In another model, `fc_norm` is of a classifier that may be trained from it later, and the file has no such norm.
  if (set.has(names.head)) sizes.fcNorm = set.has(names.fcNorm);
  const fc1 = `${names.blocks}0.${names.fc1}`;
  if (set.has(fc1)) sizes.mlpRatio = mlpRatioOf(embedDim, dimension(set, fc1, 0));
  if (!set.has(names.decoderEmbed)) return sizes;
  const decoderEmbedDim = dimension(set, names.decoderEmbed, 0);
  sizes.decoderEmbedDim = decoderEmbedDim;
  sizes.decoderDepth = countBlocks(set, names.decoderBlocks);
  const decoderFc1 = `${names.decoderBlocks}0.${names.fc1}`;
  if (set.has(decoderFc1)) {
    sizes.decoderMlpRatio = mlpRatioOf(decoderEmbedDim, dimension(set, decoderFc1, 0));
  }
  return sizes;
}

/** The side of a square grid of patches, and whether the table of positions has a row for the class token. */
export interface Grid {
  readonly side: number;
  readonly hasClassRow: boolean;
}

/** Returns the grid of a position table `[1, rows, width]`. @throws {WeightsError} when it is not square */
export function inferGrid(set: TensorSet, name: string, hasClassToken: boolean): Grid {
  const rows = dimension(set, name, 1), patches = hasClassToken ? rows - 1 : rows;
  for (const [count, hasClassRow] of [[patches, hasClassToken], [rows, false]] as const) {
    const side = Math.round(Math.sqrt(count));
    if (side > 0 && side * side === count) return { side, hasClassRow };
  }
  throw new WeightsError(
    `'${set.get(name)!.source}' has ${rows} positions, which are not those of a square grid of patches` +
      (hasClassToken ? " and a class token" : "") + ": only square images are supported",
  );
}

/** Returns a length of a tensor's shape. @throws {WeightsError} when the tensor or the axis is missing */
export function dimension(set: TensorSet, name: string, axis: number): number {
  const tensor = set.get(name);
  if (!tensor) throw new WeightsError(`The tensor '${name}' is missing`);
  const length = tensor.shape[axis];
  if (length === undefined || length < 1) {
    throw new WeightsError(
      `'${tensor.source}' has the shape [${tensor.shape}], which is not that of a model`,
    );
  }
  return length;
}
