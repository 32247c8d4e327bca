/**
 * Limits the size of a response with numbers and pictures for each image.
 *
 * @module
 */
import { figureRowBytes } from "../../data/images/figure.ts";
import { imageDim, type MaeConfig, numPatches } from "../../model/config.ts";
import type { ApiLimits } from "../http/limits.ts";
import { fieldProblem } from "../http/problem.ts";
import type { InferenceRequest } from "../schemas/inference.ts";
import type { ReconstructionRequest } from "../schemas/reconstruction.ts";

/** Memory of a number in a list and as text, in bytes. */
const NUMBER_BYTES = 40;
/** Memory of a byte of pixels that becomes a PNG in base64: at most that of the pixel, the PNG, and two texts. */
const PICTURE_BYTES = 5;

/** Columns that are drawn in colour for models of grey images, too. */
const COLOURED: readonly string[] = ["error", "attention"];

/** Returns the memory for one image of a response with a list of numbers for each image, in bytes. */
export function listBytes(numbers: number): number {
  return numbers * NUMBER_BYTES;
}

/** Returns the memory for one image of a reconstruction as JSON or as a figure, in bytes. */
export function reconstructionBytes(
  config: MaeConfig,
  { columns, include }: ReconstructionRequest,
  isPng: boolean,
): number {
  const channelsOf = (column: string) => COLOURED.includes(column) ? 3 : config.inChannels;
  if (isPng) {
    return figureRowBytes(columns.length, config.imageSize, Math.max(...columns.map(channelsOf)));
  }
  const patches = numPatches(config), values = imageDim(config);
  const numbers = {
    patches: values,
    pred: values,
    errors: patches,
    attention: (config.numHeads + 1) * patches,
  };
  // `mask`, `ids_restore` and `ids_keep` are always there.
  let bytes = listBytes(3 * patches);
  for (const part of include) {
    if (part !== "images") bytes += listBytes(numbers[part]);
    else for (const column of columns) bytes += config.imageSize ** 2 * channelsOf(column) * PICTURE_BYTES;
  }
  return bytes;
}

/** Limits the number of images of a request by the size of its response. @throws {ProblemError} 413 */
export function checkResponseSize(
  request: InferenceRequest,
  count: number,
  bytesPerImage: number,
  { responseBytes }: ApiLimits,
): void {
  const max = Math.max(1, Math.floor(responseBytes / bytesPerImage));
  if (count <= max) return;
  throw fieldProblem(
    413,
    request.dataset === undefined ? "pictures" : "dataset.indices",
    `must have at most ${max} ${max === 1 ? "image" : "images"} for a response of this kind: it has ${count}`,
  );
}
