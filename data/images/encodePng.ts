/**
 * Encoding of raw pixels as PNG.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { loadSharp } from "./imageFile.ts";

/** zlib level, 0 to 9. Higher levels take longer and hardly shrink small images. */
const COMPRESSION_LEVEL = 3;

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
  const sharp = await loadSharp();
  const image = sharp(pixels, { raw: { width, height, channels } })
    .toColourspace(channels === 1 ? "b-w" : "srgb");
  return new Uint8Array(await image.png({ compressionLevel: COMPRESSION_LEVEL }).toBuffer());
}
