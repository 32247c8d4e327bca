/**
 * Figures: images in rows and columns, with captions above the columns.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { CAPTION_HEIGHT, captionFontSize, renderCaption } from "./caption.ts";
import { encodePng } from "./encodePng.ts";

/** An image of a figure. */
export interface FigureImage {
  /** `[size, size, channels]`, 0 to 255. */
  readonly pixels: Uint8Array;
  readonly channels: 1 | 3;
}

/** Width of the gaps between and around the images, in pixels. */
const GAP = 8;
/** Maximum size to which small images are enlarged, in pixels. The factor is a whole number. */
const ENLARGED_SIZE = 168;

/** Returns the factor by which images are enlarged. */
function scaleOf(size: number): number {
  return Math.max(1, Math.floor(ENLARGED_SIZE / size));
}

/** Returns the number of values in a row of a figure. @param size height and width of an image, in pixels */
export function figureRowBytes(columns: number, size: number, channels: number): number {
  const step = size * scaleOf(size) + GAP;
  return (columns * step + GAP) * step * channels;
}

/** The pixels of a figure. */
interface Canvas {
  /** `[height, width, channels]`. */
  readonly pixels: Uint8Array;
  readonly width: number;
  readonly channels: 1 | 3;
}

/** Writes one row of pixels to the canvas, each pixel `scale` times. */
function writeEnlargedRow(
  row: Uint8Array,
  scale: number,
  channels: number,
  canvas: Canvas,
  offset: number,
): void {
  const { pixels, channels: canvasChannels } = canvas;
  // The last channel of a grey image is repeated on a canvas in colour.
  const last = channels - 1;
  for (let start = 0; start < row.length; start += channels) {
    for (let i = 0; i < scale; i++) {
      for (let c = 0; c < canvasChannels; c++) pixels[offset++] = row[start + (c < last ? c : last)];
    }
  }
}

/** Writes an enlarged image to the canvas. @param height rows of the image */
function writeImage(
  { pixels, channels }: FigureImage,
  height: number,
  scale: number,
  canvas: Canvas,
  [left, top]: readonly [left: number, top: number],
): void {
  const rowLength = pixels.length / height, stride = canvas.width * canvas.channels;
  const enlargedLength = rowLength / channels * scale * canvas.channels;
  for (let y = 0; y < height; y++) {
    const offset = (top + y * scale) * stride + left * canvas.channels;
    writeEnlargedRow(pixels.subarray(y * rowLength, (y + 1) * rowLength), scale, channels, canvas, offset);
    for (let line = 1; line < scale; line++) {
      canvas.pixels.copyWithin(offset + line * stride, offset, offset + enlargedLength);
    }
  }
}

/**
 * Renders a figure as PNG on a white background. Small images are enlarged without smoothing.
 *
 * @param rows images by row and column, at least one
 * @param size height and width of an image, in pixels
 * @param captions the title of each column; none by default
 * @example
 * ```ts
 * import { renderFigure } from "./figure.ts";
 *
 * const original = { pixels: new Uint8Array(28 * 28).fill(128), channels: 1 } as const;
 * const masked = { pixels: original.pixels.map((value, i) => i < 14 * 28 ? value : 0), channels: 1 } as const;
 * const png = await renderFigure([[original, masked]], 28, ["original", "masked"]);
 * ```
 */
export async function renderFigure(
  rows: readonly (readonly FigureImage[])[],
  size: number,
  captions: readonly string[] | null = null,
): Promise<Bytes> {
  const scale = scaleOf(size), step = size * scale + GAP;
  const captionHeight = captions === null ? 0 : CAPTION_HEIGHT;
  const width = rows[0].length * step + GAP, height = rows.length * step + GAP + captionHeight;
  const channels = rows.flat().some((image) => image.channels === 3) ? 3 : 1;
  const canvas: Canvas = { pixels: new Uint8Array(width * height * channels).fill(255), width, channels };
  const fontSize = captionFontSize(captions ?? [], step);
  for (const [column, caption] of (captions ?? []).entries()) {
    const pixels = await renderCaption(caption, step, fontSize);
    writeImage({ pixels, channels: 1 }, CAPTION_HEIGHT, 1, canvas, [GAP / 2 + column * step, GAP / 2]);
  }
  rows.forEach((images, row) =>
    images.forEach((image, column) => {
      const corner = [GAP + column * step, GAP + captionHeight + row * step] as const;
      writeImage(image, size, scale, canvas, corner);
    })
  );
  return await encodePng(canvas.pixels, width, height, channels);
}
