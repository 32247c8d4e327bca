/**
 * Decoding of small, plain PNG files in a fraction of the time of an image library. Any other file, damaged ones
 * included, is left to the library.
 *
 * @module
 */
import { crc32, inflateSync } from "node:zlib";
import type { Bytes } from "../bytes.ts";
import { PNG_SIGNATURE } from "./writePng.ts";

/** A decoded image. */
export interface PlainImage {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  /** `[height, width, channels]` */
  readonly pixels: Bytes;
}

/** Maximum size of the decoded pixels. They are decoded on the calling thread, and every side is allowed. */
const MAX_BYTES = 2 ** 15;
/** Chunks without influence on the pixels. */
const IGNORED = new Set(["pHYs", "tIME"]);

/**
 * Decodes a PNG of 8 bits, greyscale or RGB, without transparency, palette, interlacing, colour profile or metadata.
 *
 * @returns null for any other file, for a large one, and for one with any fault
 */
export function decodePlainPng(file: Bytes): PlainImage | null {
  const chunks = readChunks(file);
  if (chunks === null) return null;
  const { header, data } = chunks;
  const [bits, colourType, compression, filter, interlace] = header.subarray(8);
  if (bits !== 8 || (colourType !== 0 && colourType !== 2) || compression + filter + interlace > 0) {
    return null;
  }
  const view = new DataView(header.buffer, header.byteOffset);
  const width = view.getUint32(0), height = view.getUint32(4), channels = colourType === 0 ? 1 : 3;
  const length = width * channels, size = height * length;
  if (size === 0 || size > MAX_BYTES) return null;
  const scanlines = inflate(data, height * (1 + length));
  const pixels = scanlines && unfilter(scanlines, height, length, channels);
  return pixels && { height, width, channels, pixels };
}

/** Returns the header and the compressed data; null if the file has a fault or an unknown chunk. */
function readChunks(file: Bytes): { header: Bytes; data: Bytes } | null {
  if (PNG_SIGNATURE.some((byte, i) => file[i] !== byte)) return null;
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  let header: Bytes | undefined, data: Bytes | undefined;
  for (let offset = PNG_SIGNATURE.length; offset + 12 <= file.length;) {
    const length = view.getUint32(offset), end = offset + 8 + length;
    if (end + 4 > file.length || crc32(file.subarray(offset + 4, end)) !== view.getUint32(end)) return null;
    const type = String.fromCharCode(...file.subarray(offset + 4, offset + 8));
    const content = file.subarray(offset + 8, end);
    if (header === undefined) {
      if (type !== "IHDR" || length !== 13) return null;
      header = content;
    } else if (type === "IDAT" && data === undefined) {
      data = content;
    } else if (type === "IEND") {
      return data !== undefined && length === 0 && end + 4 === file.length ? { header, data } : null;
    } else if (!IGNORED.has(type)) {
      return null;
    }
    offset = end + 4;
  }
  return null;
}

/** Returns the decompressed data; null unless it has exactly `length` bytes, and nothing follows its checksum. */
function inflate(data: Bytes, length: number): Uint8Array | null {
  let bytes: Uint8Array;
  try {
    bytes = inflateSync(data, { maxOutputLength: length });
  } catch {
    return null;
  }
  const checksum = data.length < 4
    ? 0
    : new DataView(data.buffer, data.byteOffset).getUint32(data.length - 4);
  return bytes.length === length && checksum === adler32(bytes) ? bytes : null;
}

/** Adler-32 (RFC 1950) of at most 2^23 bytes. */
function adler32(bytes: Uint8Array): number {
  let a = 1, b = 0;
  for (let start = 0; start < bytes.length; start += 3800) {
    const end = Math.min(start + 3800, bytes.length);
    for (let i = start; i < end; i++) b += a += bytes[i];
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}

/** Undoes the filter of each row (ISO/IEC 15948, clause 9); null for an unknown filter. */
function unfilter(scanlines: Uint8Array, height: number, length: number, channels: number): Bytes | null {
  const pixels = new Uint8Array(height * length);
  for (let y = 0; y < height; y++) {
    const filter = scanlines[y * (1 + length)], source = y * (1 + length) + 1, row = y * length;
    if (filter > 4) return null;
    for (let x = 0; x < length; x++) {
      const left = x < channels ? 0 : pixels[row + x - channels];
      const up = y === 0 ? 0 : pixels[row + x - length];
      const upLeft = x < channels || y === 0 ? 0 : pixels[row + x - length - channels];
      pixels[row + x] = scanlines[source + x] + predict(filter, left, up, upLeft);
    }
  }
  return pixels;
}

function predict(filter: number, left: number, up: number, upLeft: number): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4: {
      const estimate = left + up - upLeft;
      const toLeft = Math.abs(estimate - left), toUp = Math.abs(estimate - up);
      const toUpLeft = Math.abs(estimate - upLeft);
      return toLeft <= toUp && toLeft <= toUpLeft ? left : toUp <= toUpLeft ? up : upLeft;
    }
    default:
      return 0;
  }
}
