/**
 * Writing of PNG files (ISO/IEC 15948). For small images this takes a tenth of the time of an image library.
 *
 * @module
 */
import { promisify } from "node:util";
import { constants, crc32, deflate, deflateSync, type ZlibOptions } from "node:zlib";
import type { Bytes } from "../bytes.ts";

/** The first bytes of every PNG. */
export const PNG_SIGNATURE: readonly number[] = [137, 80, 78, 71, 13, 10, 26, 10];

/** zlib level, 0 to 9. Higher levels take longer and hardly shrink small images. */
const COMPRESSION_LEVEL = 3;
/** Size up to which scanlines are compressed at once. Larger ones are compressed in another thread. */
const SYNC_BYTES = 2 ** 20;

type Deflate = (data: Uint8Array, options: ZlibOptions) => Promise<Uint8Array>;
const deflateInThread = promisify(deflate) as Deflate;

/** How scanlines are compressed: `runs` looks only for runs of equal bytes, which is best for enlarged images. */
export type PngCompression = "default" | "runs";

/**
 * Writes an image of 8 bits.
 *
 * @param scanlines for each row the type of its filter, then `width * channels` bytes
 */
export async function writePng(
  scanlines: Uint8Array,
  width: number,
  height: number,
  channels: 1 | 3,
  compression: PngCompression = "default",
): Promise<Bytes> {
  const strategy = compression === "runs" ? constants.Z_RLE : constants.Z_DEFAULT_STRATEGY;
  const options = { level: COMPRESSION_LEVEL, strategy };
  const data = scanlines.length <= SYNC_BYTES
    ? deflateSync(scanlines, options)
    : await deflateInThread(scanlines, options);
  const header = new Uint8Array(13), view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // 8 bits, then the colour type: 0 is greyscale and 2 is RGB.
  header.set([8, channels === 1 ? 0 : 2], 8);
  const file = new Uint8Array(PNG_SIGNATURE.length + 3 * 12 + header.length + data.length);
  file.set(PNG_SIGNATURE);
  let offset = PNG_SIGNATURE.length;
  for (const [type, content] of [["IHDR", header], ["IDAT", data], ["IEND", new Uint8Array()]] as const) {
    offset = writeChunk(file, offset, type, content);
  }
  return file;
}

/** Writes a chunk: its length, type, content and checksum. @returns the offset behind it */
function writeChunk(file: Bytes, offset: number, type: string, content: Uint8Array): number {
  const view = new DataView(file.buffer, offset), end = offset + 8 + content.length;
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) view.setUint8(4 + i, type.charCodeAt(i));
  file.set(content, offset + 8);
  view.setUint32(8 + content.length, crc32(file.subarray(offset + 4, end)));
  return end + 4;
}
