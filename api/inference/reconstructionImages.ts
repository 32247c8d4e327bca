/**
 * The images of a reconstruction: original, masked, reconstructed.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import { imageDim, type MaeConfig, patchDim } from "../../model/config.ts";
import { unpatchify } from "../../model/patches.ts";
import type { Reconstruction } from "./inference.ts";

/** One row of the tutorial's figure; each `[H, W, C]`, values 0 to 1. */
export interface ReconstructionRow {
  readonly original: Float32Array;
  /** Masked patches in grey, 0.5. */
  readonly masked: Float32Array;
  /** Clipped to [0, 1]. */
  readonly reconstruction: Float32Array;
}

/** Grey value of a masked patch. */
const MASKED = 0.5;

/**
 * Returns a row for each image.
 *
 * @param pasteVisible shows the original pixels of visible patches instead of their prediction
 */
export function reconstructionRows(
  config: MaeConfig,
  images: ImageSet,
  { pred, mask }: Reconstruction,
  pasteVisible: boolean,
): ReconstructionRow[] {
  const size = imageDim(config), dim = patchDim(config);
  const predicted = unpatchify(pred, config); // [count, H, W, C]
  const pixelMask = unpatchify(pred.map((_, i) => mask[Math.floor(i / dim)]), config); // [count, H, W, C]
  return Array.from({ length: images.count }, (_, image) => {
    const first = image * size;
    const original = Float32Array.from(images.pixels.subarray(first, first + size), (value) => value / 255);
    const isMasked = (i: number) => pixelMask[first + i] === 1;
    const clipped = (i: number) => Math.min(1, Math.max(0, predicted[first + i]));
    return {
      original,
      masked: original.map((value, i) => isMasked(i) ? MASKED : value),
      reconstruction: original.map((value, i) => pasteVisible && !isMasked(i) ? value : clipped(i)),
    };
  });
}

/** Values 0 to 1 as bytes. */
export function toBytes(values: Float32Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values, (value) => Math.round(value * 255));
}
