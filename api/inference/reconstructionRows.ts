/**
 * The images of a reconstruction: original, masked, reconstructed.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { TriptychRow } from "../../data/images/triptych.ts";
import { imageDim, type MaeConfig, patchDim } from "../../model/config.ts";
import { unpatchify } from "../../model/patches.ts";
import type { Reconstruction } from "./inference.ts";

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
): TriptychRow[] {
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

/** Converts values from 0 to 1 to bytes. */
export function toBytes(values: Float32Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(values, (value) => Math.round(value * 255));
}
