/**
 * The parts of a response that follow from a reconstruction.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { FigureImage } from "../../data/images/figure.ts";
import { type MaeConfig, numPatches } from "../../model/config.ts";
import { denormalizePatches } from "../../model/normalize.ts";
import { patchErrors } from "../../model/patchErrors.ts";
import type { ReconstructionRequest } from "../schemas/reconstruction.ts";
import { figureRows } from "./figureColumns.ts";
import type { Reconstruction } from "./inference.ts";

/** What a response needs. */
export interface RequestedParts {
  readonly columns: boolean;
  readonly prediction: boolean;
  readonly errors: boolean;
  readonly attention: boolean;
}

/** The parts of a response, for all images of a request. Parts that are not needed are empty. */
export interface ReconstructionParts {
  /** An image for each column, by image. */
  readonly rows: readonly (readonly FigureImage[])[];
  /** Predicted patches as pixels, `[count, N, P·P·C]`. */
  readonly predicted: Float32Array;
  /** Mean squared error of each patch, `[count, N]`. */
  readonly errors: Float32Array;
  /** Attention of the class token, the mean over the heads, `[count, N]`. */
  readonly meanAttention: Float32Array;
}

/** Returns what the response to a request needs. */
export function requestedParts({ columns, include }: ReconstructionRequest, isPng: boolean): RequestedParts {
  const drawn = isPng || include.includes("images"), shown = new Set<string>(drawn ? columns : []);
  const included = new Set<string>(isPng ? [] : include);
  const errors = shown.has("error") || included.has("errors");
  const prediction = errors || shown.has("reconstruction") || shown.has("reconstruction_visible") ||
    included.has("patches") || included.has("pred");
  return {
    columns: drawn,
    prediction,
    errors,
    attention: shown.has("attention") || included.has("attention"),
  };
}

/** Computes the parts that are needed. */
export function reconstructionParts(
  config: MaeConfig,
  images: ImageSet,
  { pred, mask, attention: byHead }: Reconstruction,
  { columns, paste_visible: pasteVisible }: ReconstructionRequest,
  requested: RequestedParts,
): ReconstructionParts {
  const converts = config.normPixLoss || config.normalize !== null;
  const pixels = requested.errors || (requested.prediction && converts)
    ? Float32Array.from(images.pixels, (value) => value / 255)
    : new Float32Array();
  const predicted = requested.prediction ? denormalizePatches(config, pred, pixels) : pred;
  const errors = requested.errors ? patchErrors(config, predicted, pixels) : new Float32Array();
  const meanAttention = requested.attention
    ? meanOverHeads(byHead, images.count, numPatches(config))
    : new Float32Array();
  const source = { images, mask, predicted, errors, attention: meanAttention, pasteVisible };
  const rows = requested.columns ? figureRows(config, source, columns) : [];
  return { rows, predicted, errors, meanAttention };
}

/** Returns the mean over the heads. @param attention `[count, heads, N]` @returns `[count, N]` */
function meanOverHeads(attention: Float32Array, count: number, patches: number): Float32Array {
  const heads = attention.length / (count * patches);
  return Float32Array.from({ length: count * patches }, (_, i) => {
    const image = Math.floor(i / patches), patch = i % patches;
    let sum = 0;
    for (let head = 0; head < heads; head++) sum += attention[(image * heads + head) * patches + patch];
    return sum / heads;
  });
}
