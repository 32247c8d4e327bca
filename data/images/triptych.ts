/**
 * The tutorial's figure (step 11): original, masked and reconstructed images side by side.
 *
 * @module
 */
import { encodePng } from "./codec.ts";

/** Images of one row, each `[size, size, channels]`, values 0 to 1. */
export interface TriptychRow {
  readonly original: Float32Array;
  readonly masked: Float32Array;
  readonly reconstruction: Float32Array;
}

/** Pixels between images and around them. */
const GAP = 8;
/** Small images are enlarged by a whole number, at least to this many pixels where it divides well. */
const SHOWN = 168;

/** Width and height of the figure, and by how much an image is enlarged. */
export function triptychSize(rows: number, size: number): { scale: number; width: number; height: number } {
  const scale = Math.max(1, Math.floor(SHOWN / size));
  const step = size * scale + GAP;
  return { scale, width: 3 * step + GAP, height: rows * step + GAP };
}

/** Writes a row of pixels, each several times, as bytes. */
function enlargedRow(
  picture: ArrayLike<number>,
  from: number,
  size: number,
  scale: number,
  channels: number,
  canvas: Uint8Array,
  to: number,
): void {
  for (let x = 0; x < size; x++) {
    for (let c = 0; c < channels; c++) {
      const value = Math.round(Math.min(1, Math.max(0, picture[from + x * channels + c])) * 255);
      for (let i = 0; i < scale; i++) canvas[to + (x * scale + i) * channels + c] = value;
    }
  }
}

/**
 * Renders the figure as PNG: a row for each image, enlarged without smoothing, on white.
 *
 * @param size height and width of an image, in pixels
 */
export async function renderTriptych(
  rows: readonly TriptychRow[],
  size: number,
  channels: 1 | 3,
): Promise<Uint8Array<ArrayBuffer>> {
  const { scale, width, height } = triptychSize(rows.length, size);
  const canvas = new Uint8Array(width * height * channels).fill(255);
  const step = size * scale + GAP;
  rows.forEach((row, at) => {
    [row.original, row.masked, row.reconstruction].forEach((picture, column) => {
      const left = GAP + column * step, top = GAP + at * step, length = size * scale * channels;
      for (let y = 0; y < size; y++) {
        const first = ((top + y * scale) * width + left) * channels;
        enlargedRow(picture, y * size * channels, size, scale, channels, canvas, first);
        for (let line = 1; line < scale; line++) {
          canvas.copyWithin(first + line * width * channels, first, first + length);
        }
      }
    });
  });
  return await encodePng(canvas, width, height, channels);
}
