/**
 * Encoding of raw pixels as PNG.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { writePng } from "./writePng.ts";

/**
 * Encodes an image as PNG.
 *
 * @param pixels `[height, width, channels]`, 0 to 255
 * @example
 * ```ts
 * import { encodePng } from "./encodePng.ts";
 *
 * const black = new Uint8Array(28 * 28);
 * await Deno.writeFile("black.png", await encodePng(black, 28, 28, 1));
 * ```
 */
export async function encodePng(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: 1 | 3,
): Promise<Bytes> {
  const length = width * channels;
  // The first byte of a row is the type of its filter: none.
  const scanlines = new Uint8Array(height * (1 + length));
  for (let y = 0; y < height; y++) {
    scanlines.set(pixels.subarray(y * length, (y + 1) * length), y * (1 + length) + 1);
  }
  return await writePng(scanlines, width, height, channels);
}
