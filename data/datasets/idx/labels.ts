/**
 * Reads label files in the IDX format: the unsigned bytes of MNIST and EMNIST, and the rows of integers of QMNIST.
 *
 * @module
 */
import { type Bytes, concatBytes } from "../../bytes.ts";
import { readContent } from "../compression/gzip.ts";
import { DatasetError, MAX_CLASSES } from "../dataset.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import {
  checkDimension,
  checkLength,
  IDX_LIMITS,
  IDX_TYPES,
  parseMagic,
  readDimensions,
  readExactly,
  typeName,
} from "./header.ts";

/** Largest label number. */
const MAX_LABEL = 0xffff;
/** Numbers in a row of QMNIST's label files. The first number is the class. */
const QMNIST_COLUMNS = 8;

/** Integer types of label files: the size of a number in bytes, and its reader. */
const READERS: Readonly<Record<number, { bytes: number; read(view: DataView, offset: number): number }>> = {
  [IDX_TYPES.ubyte]: { bytes: 1, read: (view, offset) => view.getUint8(offset) },
  [IDX_TYPES.byte]: { bytes: 1, read: (view, offset) => view.getInt8(offset) },
  [IDX_TYPES.short]: { bytes: 2, read: (view, offset) => view.getInt16(offset) },
  [IDX_TYPES.int]: { bytes: 4, read: (view, offset) => view.getInt32(offset) },
};

/** The labels of a file. */
export interface IdxLabels {
  /** One label number per image. */
  readonly values: Uint16Array;
  /** The distinct numbers, ascending. */
  readonly distinct: readonly number[];
}

/**
 * Reads a label file. It has one integer per image (`[count]` or `[count, 1]`), or QMNIST's `[count, 8]` rows of 32-bit
 * integers, whose first column is the class (as in torchvision's `QMNIST`).
 *
 * @throws {DatasetError} with the field
 */
export async function readIdxLabels(file: UploadedFile, signal?: AbortSignal): Promise<IdxLabels> {
  const chunks = readContent(file, signal);
  try {
    const start = await readExactly(chunks, 4);
    const magic = parseMagic(file, start.head, "label");
    const message = `must be an IDX label file (magic number 0x00000801): it begins with ${magic.hex}`;
    if (magic.dimensions > 2) throw new DatasetError(`${message}, it is an image file`, file.field);
    const reader = READERS[magic.type];
    if (reader === undefined) {
      throw new DatasetError(
        `${message}, which contains ${typeName(magic.type)}: labels must be integers`,
        file.field,
      );
    }
    const { dimensions, rest } = await readDimensions(file, chunks, magic.dimensions, start.rest);
    const [count, columns = 1] = dimensions;
    checkDimension(file, "labels", count, IDX_LIMITS.count);
    if (columns !== 1 && !(columns === QMNIST_COLUMNS && magic.type === IDX_TYPES.int)) {
      throw new DatasetError(
        `has rows of ${columns} ${
          typeName(magic.type)
        }: labels must be one integer per image, or QMNIST's rows ` +
          `of ${QMNIST_COLUMNS} 32-bit integers`,
        file.field,
      );
    }
    const rowBytes = columns * reader.bytes;
    const data = checkLength(file, rest, chunks, count * rowBytes);
    return await collectLabels(file, count, rowBytes, reader.read, data);
  } finally {
    await chunks.return(undefined);
  }
}

async function collectLabels(
  file: UploadedFile,
  count: number,
  rowBytes: number,
  read: (view: DataView, offset: number) => number,
  chunks: AsyncGenerator<Bytes>,
): Promise<IdxLabels> {
  const values = new Uint16Array(count);
  const distinct = new Set<number>();
  let index = 0;
  for await (const chunk of regroupRows(chunks, rowBytes)) {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let offset = 0; offset < chunk.length; offset += rowBytes) {
      const label = read(view, offset);
      if (label < 0 || label > MAX_LABEL) {
        throw new DatasetError(`contains the label ${label}: labels must be 0 to ${MAX_LABEL}`, file.field);
      }
      values[index++] = label;
      distinct.add(label);
    }
    if (distinct.size > MAX_CLASSES) {
      throw new DatasetError(`has more than ${MAX_CLASSES} different labels`, file.field);
    }
  }
  return { values, distinct: [...distinct].sort((a, b) => a - b) };
}

/** Regroups the bytes of a stream into chunks of whole rows. */
async function* regroupRows(chunks: AsyncGenerator<Bytes>, rowBytes: number): AsyncGenerator<Bytes> {
  let remainder: Bytes = new Uint8Array(0);
  for await (const chunk of chunks) {
    const bytes = remainder.length === 0 ? chunk : concatBytes([remainder, chunk]);
    const wholeRows = bytes.length - bytes.length % rowBytes;
    if (wholeRows > 0) yield bytes.subarray(0, wholeRows);
    remainder = bytes.slice(wholeRows);
  }
}
