/**
 * The figure of a reconstruction: original, masked and reconstructed images side by side.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { writePng } from "./writePng.ts";

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

/** Types of the filter of a PNG's row: none, and up (the row above is added). */
const NONE = 0, UP = 2;

/** Writes one row of pixels to a scanline, each pixel `scale` times. */
function writeEnlargedRow(
  pixels: Uint8Array,
  scale: number,
  channels: number,
  scanline: Uint8Array,
  offset: number,
): void {
  for (let start = 0; start < pixels.length; start += channels) {
    for (let i = 0; i < scale; i++) {
      for (let c = 0; c < channels; c++) scanline[offset++] = pixels[start + c];
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
  const length = 1 + width * channels, step = size * scale + GAP, rowLength = size * channels;
  // A row that equals the one above it has the filter "up" and only zeros.
  const scanlines = new Uint8Array(height * length);
  for (let y = 0; y < height; y++) scanlines[y * length] = UP;
  const begin = (y: number) => {
    scanlines[y * length] = NONE;
    scanlines.fill(255, y * length + 1, (y + 1) * length);
  };
  begin(0);
  rows.forEach(({ original, masked, reconstruction }, row) => {
    for (let y = 0; y < size; y++) {
      const top = GAP + row * step + y * scale;
      begin(top);
      [original, masked, reconstruction].forEach((image, column) => {
        const pixels = image.subarray(y * rowLength, (y + 1) * rowLength);
        const left = (GAP + column * step) * channels;
        writeEnlargedRow(pixels, scale, channels, scanlines, top * length + 1 + left);
      });
    }
    begin(row * step + step);
  });
  return await writePng(scanlines, width, height, channels, "runs");
}
