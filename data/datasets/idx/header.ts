/**
 * Reads the headers of IDX files, and checks the number of bytes after them.
 *
 * @module
 */
import { type Bytes, concatBytes } from "../../bytes.ts";
import { isGzip } from "../compression/gzip.ts";
import { findUnsupportedCompression } from "../compression/unsupportedFormats.ts";
import { DatasetError } from "../dataset.ts";
import type { UploadedFile } from "../uploadedFile.ts";

/** Third byte of the magic number: the data type. */
export const IDX_TYPES = {
  ubyte: 0x08,
  byte: 0x09,
  short: 0x0b,
  int: 0x0c,
  float: 0x0d,
  double: 0x0e,
} as const;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [IDX_TYPES.ubyte]: "unsigned bytes",
  [IDX_TYPES.byte]: "signed bytes",
  [IDX_TYPES.short]: "16-bit integers",
  [IDX_TYPES.int]: "32-bit integers",
  [IDX_TYPES.float]: "32-bit floats",
  [IDX_TYPES.double]: "64-bit floats",
};

/** Returns the name of a type of {@linkcode IDX_TYPES} for a message. */
export function typeName(type: number): string {
  return TYPE_NAMES[type];
}

/** Limits of IDX files. */
export const IDX_LIMITS = { count: 10_000_000, side: 4096, bytes: 16 * 2 ** 30 } as const;

/**
 * Reads the first bytes of a stream.
 *
 * @param length number of bytes to read; `head` is shorter if the stream ends before
 * @param first bytes that were already read
 * @returns `rest`: bytes that were read after `head`
 */
export async function readExactly(
  chunks: AsyncGenerator<Bytes>,
  length: number,
  first: Bytes = new Uint8Array(0),
): Promise<{ head: Bytes; rest: Bytes }> {
  let head = first;
  while (head.length < length) {
    const { done, value } = await chunks.next();
    if (done) break;
    head = concatBytes([head, value]);
  }
  return { head: head.slice(0, length), rest: head.slice(length) };
}

/**
 * Yields a stream that must have exactly `length` bytes.
 *
 * @param first bytes that were already read
 * @throws {DatasetError}
 */
export async function* checkLength(
  file: UploadedFile,
  first: Bytes,
  chunks: AsyncGenerator<Bytes>,
  length: number,
): AsyncGenerator<Bytes> {
  let size = 0;
  const check = (chunk: Bytes) => {
    size += chunk.length;
    if (size > length) {
      throw new DatasetError(
        `is longer than the ${length} bytes of data that its header declares`,
        file.field,
      );
    }
    return chunk;
  };
  if (first.length > 0) yield check(first);
  for await (const chunk of chunks) yield check(chunk);
  if (size < length) {
    throw new DatasetError(`ends after ${size} bytes of data: its header declares ${length}`, file.field);
  }
}

/** Reads a big-endian unsigned 32-bit number. */
export function readUint32(head: Bytes, offset: number): number {
  return new DataView(head.buffer, head.byteOffset).getUint32(offset);
}

/** The parts of a magic number: two zero bytes, the type, the number of dimensions. */
interface Magic {
  /** Hexadecimal form for messages. */
  readonly hex: string;
  readonly type: number;
  readonly dimensions: number;
}

/**
 * Parses the magic number.
 *
 * @param head first four bytes of the file
 * @param content expected content, for messages
 * @throws {DatasetError} for a file that is not IDX
 */
export function parseMagic(file: UploadedFile, head: Bytes, content: "image" | "label"): Magic {
  if (head.length < 4) throw new DatasetError("is too short to be an IDX file", file.field);
  if (isGzip(head)) throw new DatasetError("is gzipped twice: gzip it once, or not at all", file.field);
  const value = readUint32(head, 0), hex = `0x${value.toString(16).padStart(8, "0")}`;
  const type = value >>> 8, dimensions = value & 0xff;
  if (TYPE_NAMES[type] !== undefined && dimensions >= 1) return { hex, type, dimensions };
  const compression = value === ZIP_SIGNATURE ? "zip" : findUnsupportedCompression(head);
  if (compression) {
    throw new DatasetError(
      `is a ${compression} file: unpack it, or compress it with gzip instead`,
      file.field,
    );
  }
  const expected = content === "image" ? "0x00000803" : "0x00000801";
  throw new DatasetError(
    `must be an IDX ${content} file (magic number ${expected}): it begins with ${hex}`,
    file.field,
  );
}

const ZIP_SIGNATURE = 0x504b0304;

/**
 * Parses the dimensions of a header.
 *
 * @returns the dimensions, and the bytes that were read after the header
 * @throws {DatasetError} for a truncated header
 */
export async function readDimensions(
  file: UploadedFile,
  chunks: AsyncGenerator<Bytes>,
  count: number,
  first: Bytes,
): Promise<{ dimensions: number[]; rest: Bytes }> {
  const { head, rest } = await readExactly(chunks, 4 * count, first);
  if (head.length < 4 * count) throw new DatasetError("ends inside its header", file.field);
  return { dimensions: Array.from({ length: count }, (_, i) => readUint32(head, 4 * i)), rest };
}

/** Checks that a declared size is from 1 to `max`. @throws {DatasetError} */
export function checkDimension(file: UploadedFile, name: string, value: number, max: number): number {
  if (value >= 1 && value <= max) return value;
  throw new DatasetError(`declares ${value} ${name}: the number must be 1 to ${max}`, file.field);
}
