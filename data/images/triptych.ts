/**
 * The figure of a reconstruction: original, masked and reconstructed images side by side.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { encodePng } from "./encodePng.ts";

/** Images of one row, each `[size, size, channels]` with values from 0 to 255. */
export interface TriptychRow {
  readonly original: Uint8Array;
  readonly masked: Uint8Array;
  readonly reconstruction: Uint8Array;
}

/** Width of the gaps between and around the images, in pixels. */
const GAP = 8;
/** Maximum size to which small images are enlarged, in pixels. The factor is a whole number. */
const ENLARGED_SIZE = 168;

/** Width and height of the figure, and the factor by which its images are enlarged. */
function triptychSize(rows: number, size: number): { scale: number; width: number; height: number } {
  const scale = Math.max(1, Math.floor(ENLARGED_SIZE / size));
  const step = size * scale + GAP;
  return { scale, width: 3 * step + GAP, height: rows * step + GAP };
}

/** Writes one row of pixels to the canvas, each pixel `scale` times. */
function writeEnlargedRow(
  pixels: Uint8Array,
  scale: number,
  channels: number,
  canvas: Uint8Array,
  offset: number,
): void {
  for (let start = 0; start < pixels.length; start += channels) {
    for (let i = 0; i < scale; i++) {
      for (let c = 0; c < channels; c++) canvas[offset++] = pixels[start + c];
    }
  }
}

/**
 * Renders the figure as PNG on a white background, with one row for each image, enlarged without smoothing.
 *
 * @param size height and width of an image, in pixels
 * @example
 * ```ts
 * import { renderTriptych } from "./triptych.ts";
 *
 * const original = new Uint8Array(28 * 28).fill(128);
 * const masked = original.map((value, i) => i < 14 * 28 ? value : 0);
 * const png = await renderTriptych([{ original, masked, reconstruction: original }], 28, 1);
 * ```
 */
export async function renderTriptych(
  rows: readonly TriptychRow[],
  size: number,
  channels: 1 | 3,
): Promise<Bytes> {
  const { scale, width, height } = triptychSize(rows.length, size);
  const canvas = new Uint8Array(width * height * channels).fill(255);
  const step = size * scale + GAP, stride = width * channels, rowLength = size * channels;
  rows.forEach(({ original, masked, reconstruction }, row) => {
    [original, masked, reconstruction].forEach((image, column) => {
      const left = GAP + column * step, top = GAP + row * step;
      for (let y = 0; y < size; y++) {
        const offset = (top + y * scale) * stride + left * channels;
        writeEnlargedRow(image.subarray(y * rowLength, (y + 1) * rowLength), scale, channels, canvas, offset);
        for (let line = 1; line < scale; line++) {
          canvas.copyWithin(offset + line * stride, offset, offset + rowLength * scale);
        }
      }
    });
  });
  return await encodePng(canvas, width, height, channels);
}
