/**
 * The images of a reconstruction, by column.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import { viridis } from "../../data/images/colourMap.ts";
import type { FigureImage } from "../../data/images/figure.ts";
import { inputShapeOf } from "../../data/images/imageShape.ts";
import { imageDim, type MaeConfig, numPatches, patchDim } from "../../model/config.ts";
import { unpatchify } from "../../model/patches.ts";
import type { Column } from "../schemas/reconstruction.ts";

/** Grey value of a masked patch. */
const MASKED = 128;

/** Root mean squared error that has the last colour of the map: half of the range of a pixel. */
const MAX_ERROR = 0.5;

/** The titles of the columns. */
export const TITLES: Readonly<Record<Column, string>> = {
  original: "original",
  masked: "masked",
  reconstruction: "reconstruction",
  reconstruction_visible: "reconstruction + visible",
  error: "error",
  attention: "attention",
};

/** What the columns show, for all images of a request. */
export interface ColumnSource {
  readonly images: ImageSet;
  /** `[count, N]`, 1 = masked. */
  readonly mask: Float32Array;
  /** Predicted patches as pixels, `[count, N, P·P·C]`. */
  readonly predicted: Float32Array;
  /** Mean squared error of the patches, `[count, N]`; for the column `error`. */
  readonly errors?: Float32Array;
  /** Attention over the patches, `[count, N]`; for the column `attention`. */
  readonly attention?: Float32Array;
  /** Shows the original pixels of visible patches in the column `reconstruction`, too. */
  readonly pasteVisible: boolean;
}

/** Returns a row for each image, with an image for each column. */
export function figureRows(
  config: MaeConfig,
  source: ColumnSource,
  columns: readonly Column[],
): FigureImage[][] {
  const { images, mask, pasteVisible, errors, attention } = source, size = imageDim(config);
  const patches = numPatches(config), { channels } = inputShapeOf(config);
  const needsPrediction = columns.some((column) => column.startsWith("reconstruction"));
  const predicted = needsPrediction ? unpatchify(source.predicted, config) : null; // [count, H, W, C]
  const isMasked = unpatchify(perValue(mask, patchDim(config)), config); // [count, H, W, C]
  return Array.from({ length: images.count }, (_, image) => {
    const start = image * size, original = images.pixels.subarray(start, start + size);
    const ofPatches = (values: Float32Array) => values.subarray(image * patches, (image + 1) * patches);
    const draw = (withPredicted: boolean, withVisible: boolean): FigureImage => {
      const pixels = new Uint8Array(size);
      for (let i = 0; i < size; i++) {
        const hidden = isMasked[start + i] === 1;
        pixels[i] = !hidden && withVisible
          ? original[i]
          : withPredicted
          ? toByte(predicted![start + i])
          : MASKED;
      }
      return { pixels, channels };
    };
    const drawers: Readonly<Record<Column, () => FigureImage>> = {
      original: () => ({ pixels: original, channels }),
      masked: () => draw(false, true),
      reconstruction: () => draw(true, pasteVisible),
      reconstruction_visible: () => draw(true, true),
      error: () => drawMap(config, ofPatches(errors!).map(Math.sqrt), MAX_ERROR),
      attention: () => drawMap(config, ofPatches(attention!), Math.max(...ofPatches(attention!))),
    };
    return columns.map((column) => drawers[column]());
  });
}

/** Repeats each value. */
function perValue(values: Float32Array, times: number): Float32Array {
  const repeated = new Float32Array(values.length * times);
  values.forEach((value, i) => {
    if (value !== 0) repeated.fill(value, i * times, (i + 1) * times);
  });
  return repeated;
}

/** Draws each patch in the colour of its value. @param maximum value of the last colour */
function drawMap(config: MaeConfig, values: Float32Array, maximum: number): FigureImage {
  const { imageSize, patchSize } = config, side = imageSize / patchSize;
  const pixels = new Uint8Array(imageSize * imageSize * 3);
  values.forEach((value, patch) => {
    const colour = viridis(maximum > 0 ? value / maximum : 0);
    const top = Math.floor(patch / side) * patchSize, left = patch % side * patchSize;
    for (let y = top; y < top + patchSize; y++) {
      for (let x = left; x < left + patchSize; x++) pixels.set(colour, (y * imageSize + x) * 3);
    }
  });
  return { pixels, channels: 3 };
}

/** Clips a value to [0, 1] and converts it to a byte. */
function toByte(value: number): number {
  return Math.round(Math.min(1, Math.max(0, value)) * 255);
}
