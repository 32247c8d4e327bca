/**
 * PNG files with any header and chunks, including invalid ones.
 *
 * @module
 */
import { crc32, deflateSync } from "node:zlib";
import type { Bytes } from "../../data/bytes.ts";

/** An image header (PNG specification 11.2.1). */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** @default 8 */
  readonly depth?: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. @default 0 */
  readonly type?: number;
}

/** Encodes a chunk: length, type, data and checksum. */
export function pngChunk(type: string, data: Uint8Array = new Uint8Array(0)): Bytes {
  const body = new Uint8Array([...new TextEncoder().encode(type), ...data]);
  const chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, data.length);
  chunk.set(body, 4);
  view.setUint32(4 + body.length, crc32(body));
  return chunk;
}

/** Encodes a file: signature, header, chunks and IEND. */
export function pngFile({ width, height, depth = 8, type = 0 }: PngHeader, ...chunks: Uint8Array[]): Bytes {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([depth, type], 8);
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const parts = [signature, pngChunk("IHDR", header), ...chunks, pngChunk("IEND")];
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Encodes the IDAT chunk. @param rows packed samples of each row, most significant bit and byte first */
export function pngData(rows: readonly (readonly number[])[]): Bytes {
  return pngChunk("IDAT", deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row]))));
}
