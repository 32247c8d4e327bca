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
const MASKED = 128;

/**
 * Returns a row for each image.
 *
 * @param pasteVisible shows the original pixels of visible patches instead of their prediction
 */
export function reconstructionRows(
  config: MaeConfig,
  images: ImageSet,
  { pred, mask }: Pick<Reconstruction, "pred" | "mask">,
  pasteVisible: boolean,
): TriptychRow[] {
  const size = imageDim(config), dim = patchDim(config);
  const predicted = unpatchify(pred, config); // [count, H, W, C]
  const maskValues = new Float32Array(pred.length);
  for (let patch = 0; patch < mask.length; patch++) {
    if (mask[patch] === 1) maskValues.fill(1, patch * dim, (patch + 1) * dim);
  }
  const isMasked = unpatchify(maskValues, config); // [count, H, W, C]
  return Array.from({ length: images.count }, (_, image) => {
    const start = image * size, original = images.pixels.subarray(start, start + size);
    const masked = new Uint8Array(original), reconstruction = new Uint8Array(original);
    for (let i = 0; i < size; i++) {
      const hidden = isMasked[start + i] === 1;
      if (hidden) masked[i] = MASKED;
      if (hidden || !pasteVisible) reconstruction[i] = toByte(predicted[start + i]);
    }
    return { original, masked, reconstruction };
  });
}

/** Clips a value to [0, 1] and converts it to a byte. */
function toByte(value: number): number {
  return Math.round(Math.min(1, Math.max(0, value)) * 255);
}
