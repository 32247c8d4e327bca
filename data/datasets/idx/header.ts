/**
 * Headers of IDX files, and a check of the number of bytes after them.
 *
 * @module
 */
import { UNSUPPORTED_COMPRESSION } from "../compression/unsupported.ts";
import { DatasetError } from "../dataset.ts";
import { isGzip } from "../compression/gzip.ts";
import { type UploadedFile } from "../uploadedFile.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Third byte of the magic number: the type of the numbers. */
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

/** Name of a type of {@linkcode IDX_TYPES} for a message. */
export function typeName(type: number): string {
  return TYPE_NAMES[type];
}

/** Splits off the first bytes of a stream. `rest` is what was read beyond them. @param first bytes read before */
export async function readExactly(
  pieces: AsyncGenerator<Bytes>,
  bytes: number,
  first: Bytes = new Uint8Array(0),
): Promise<{ head: Bytes; rest: Bytes }> {
  let head = first;
  while (head.length < bytes) {
    const { done, value } = await pieces.next();
    if (done) break;
    const joined = new Uint8Array(head.length + value.length);
    joined.set(head);
    joined.set(value, head.length);
    head = joined;
  }
  return { head: head.slice(0, bytes), rest: head.slice(bytes) };
}

/** Passes on a stream that must have exactly `bytes` bytes. @param first bytes read before */
export async function* withExactLength(
  file: UploadedFile,
  first: Bytes,
  pieces: AsyncGenerator<Bytes>,
  bytes: number,
): AsyncGenerator<Bytes> {
  let passed = 0;
  const check = (piece: Bytes) => {
    passed += piece.length;
    if (passed > bytes) {
      throw new DatasetError(
        `is longer than the ${bytes} bytes of data that its header declares`,
        file.field,
      );
    }
    return piece;
  };
  if (first.length > 0) yield check(first);
  for await (const piece of pieces) yield check(piece);
  if (passed < bytes) {
    throw new DatasetError(`ends after ${passed} bytes of data: its header declares ${bytes}`, file.field);
  }
}

/** The big-endian unsigned 32-bit number at a position. */
export function word(head: Bytes, at: number): number {
  return new DataView(head.buffer, head.byteOffset).getUint32(at);
}

/** First bytes of files of other compression formats. */
const PACKED: readonly (readonly [kind: string, start: readonly number[]])[] = [
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
  ...UNSUPPORTED_COMPRESSION,
];

/** The parts of a magic number: two zero bytes, the type, the number of dimensions. */
export interface Magic {
  /** The magic number for messages. */
  readonly magic: string;
  readonly type: number;
  readonly dimensions: number;
}

/**
 * Reads the magic number.
 *
 * @param what `image` or `label`, for the message @throws {DatasetError} for a file that is not IDX
 */
export function readMagic(file: UploadedFile, head: Bytes, what: "image" | "label"): Magic {
  if (head.length < 4) throw new DatasetError("is too short to be an IDX file", file.field);
  if (isGzip(head)) throw new DatasetError("is gzipped twice: gzip it once, or not at all", file.field);
  const value = word(head, 0), magic = `0x${value.toString(16).padStart(8, "0")}`;
  const type = value >>> 8, dimensions = value & 0xff;
  if (TYPE_NAMES[type] !== undefined && dimensions >= 1) return { magic, type, dimensions };
  const packed = PACKED.find(([, start]) => start.every((byte, at) => head[at] === byte));
  if (packed) {
    const [kind] = packed;
    throw new DatasetError(`is a ${kind} file: unpack it, or pack it with gzip instead`, file.field);
  }
  const right = what === "image" ? "0x00000803" : "0x00000801";
  throw new DatasetError(
    `must be an IDX ${what} file (magic number ${right}): it begins with ${magic}`,
    file.field,
  );
}

/** @throws {DatasetError} unless a declared size is 1 to `most` */
export function dimension(file: UploadedFile, name: string, value: number, most: number): number {
  if (value >= 1 && value <= most) return value;
  throw new DatasetError(`declares ${value} ${name}: it must be 1 to ${most}`, file.field);
}
