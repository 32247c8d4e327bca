/**
 * A model's numbers into images: original, masked, reconstructed.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import { type MaeConfig, numPatches, patchDim } from "../../model/config.ts";
import type { Reconstruction } from "./inference.ts";

/** One row of the tutorial's figure; each `[H, W, C]`, values 0 to 1. */
export interface ReconstructionRow {
  readonly original: Float32Array;
  /** Masked patches in grey, 0.5. */
  readonly masked: Float32Array;
  /** Clipped to [0, 1]. */
  readonly reconstruction: Float32Array;
}

/** Grey of a masked patch, tutorial step 11. */
const MASKED = 0.5;

/**
 * The rows of the figure. Patches hold their values in the order (p1 p2 c), as the tutorial's `unpatchify`.
 *
 * @param pasteVisible show visible patches as they were instead of what was predicted for them
 */
export function reconstructionRows(
  config: MaeConfig,
  pictures: ImageSet,
  result: Reconstruction,
  pasteVisible: boolean,
): ReconstructionRow[] {
  const { imageSize: size, patchSize: patch, inChannels: channels } = config;
  const patches = numPatches(config);
  const dim = patchDim(config);
  const across = size / patch;
  const each = size * size * channels;
  return Array.from({ length: pictures.count }, (_, picture) => {
    const row = {
      original: Float32Array.from(
        pictures.pixels.subarray(picture * each, (picture + 1) * each),
        (value) => value / 255,
      ),
      masked: new Float32Array(each),
      reconstruction: new Float32Array(each),
    };
    for (let at = 0; at < each; at++) {
      const channel = at % channels;
      const x = Math.floor(at / channels) % size;
      const y = Math.floor(at / (channels * size));
      const index = Math.floor(y / patch) * across + Math.floor(x / patch);
      const inside = ((y % patch) * patch + x % patch) * channels + channel;
      const isMasked = result.mask[picture * patches + index] === 1;
      const predicted = result.pred[(picture * patches + index) * dim + inside];
      row.masked[at] = isMasked ? MASKED : row.original[at];
      row.reconstruction[at] = pasteVisible && !isMasked
        ? row.original[at]
        : Math.min(1, Math.max(0, predicted));
    }
    return row;
  });
}

/** Values 0 to 1 as bytes. */
export function toBytes(values: Float32Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values, (value) => Math.round(value * 255));
}
