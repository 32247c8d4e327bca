/**
 * Label files in the IDX format: MNIST's and EMNIST's unsigned bytes, QMNIST's rows of integers.
 *
 * @module
 */
import { DatasetError } from "../dataset.ts";
import { content } from "../compression/gzip.ts";
import { type UploadedFile } from "../uploadedFile.ts";
import { IDX_LIMITS } from "./images.ts";
import { dimension, IDX_TYPES, readExactly, readMagic, typeName, withExactLength, word } from "./header.ts";
import { MAX_CLASSES } from "../layout/layout.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Largest label number. */
const LARGEST_LABEL = 0xffff;
/** Numbers in a row of QMNIST's label files; the first is the class. */
const QMNIST_COLUMNS = 8;

/** Integer types of label files: the size of a number in bytes, and its reader. */
const READERS: Readonly<Record<number, { bytes: number; read(view: DataView, at: number): number }>> = {
  [IDX_TYPES.ubyte]: { bytes: 1, read: (view, at) => view.getUint8(at) },
  [IDX_TYPES.byte]: { bytes: 1, read: (view, at) => view.getInt8(at) },
  [IDX_TYPES.short]: { bytes: 2, read: (view, at) => view.getInt16(at) },
  [IDX_TYPES.int]: { bytes: 4, read: (view, at) => view.getInt32(at) },
};

/** The labels of a file. */
export interface IdxLabels {
  /** One label number per image. */
  readonly values: Uint16Array;
  /** The distinct numbers, ascending. */
  readonly distinct: readonly number[];
}

/**
 * Reads a label file in pieces. It holds one integer per image (`[count]` or `[count, 1]`), or QMNIST's `[count, 8]`
 * rows of 32-bit integers, whose first column is the class (as in torchvision's `QMNIST`).
 *
 * @throws {DatasetError} naming the field
 */
export async function readIdxLabels(file: UploadedFile, signal?: AbortSignal): Promise<IdxLabels> {
  const pieces = content(file, signal);
  try {
    const start = await readExactly(pieces, 4);
    const { magic, type, dimensions } = readMagic(file, start.head, "label");
    const begins = `must be an IDX label file (magic number 0x00000801): it begins with ${magic}`;
    if (dimensions > 2) throw new DatasetError(`${begins}, it is an image file`, file.field);
    const reader = READERS[type];
    if (reader === undefined) {
      throw new DatasetError(`${begins}, which holds ${typeName(type)}: labels must be integers`, file.field);
    }
    const { head, rest } = await readExactly(pieces, 4 * dimensions, start.rest);
    if (head.length < 4 * dimensions) throw new DatasetError("ends inside its header", file.field);
    const count = dimension(file, "labels", word(head, 0), IDX_LIMITS.count);
    const columns = dimensions === 1 ? 1 : word(head, 4);
    if (columns !== 1 && !(columns === QMNIST_COLUMNS && type === IDX_TYPES.int)) {
      throw new DatasetError(
        `has rows of ${columns} ${typeName(type)}: labels are one integer an image, or QMNIST's rows of ` +
          `${QMNIST_COLUMNS} 32-bit integers`,
        file.field,
      );
    }
    const row = columns * reader.bytes;
    return await collect(file, count, row, reader.read, withExactLength(file, rest, pieces, count * row));
  } finally {
    await pieces.return(undefined);
  }
}

async function collect(
  file: UploadedFile,
  count: number,
  row: number,
  read: (view: DataView, at: number) => number,
  pieces: AsyncGenerator<Bytes>,
): Promise<IdxLabels> {
  const values = new Uint16Array(count);
  const seen = new Set<number>();
  let at = 0;
  for await (const piece of rows(pieces, row)) {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let from = 0; from < piece.length; from += row) {
      const label = read(view, from);
      if (label < 0 || label > LARGEST_LABEL) {
        throw new DatasetError(`holds the label ${label}: labels must be 0 to ${LARGEST_LABEL}`, file.field);
      }
      values[at++] = label;
      seen.add(label);
    }
    if (seen.size > MAX_CLASSES) {
      throw new DatasetError(`has more than ${MAX_CLASSES} different labels`, file.field);
    }
  }
  return { values, distinct: [...seen].sort((a, b) => a - b) };
}

/** Regroups the bytes of a stream into pieces of whole rows. */
async function* rows(pieces: AsyncGenerator<Bytes>, row: number): AsyncGenerator<Bytes> {
  let left = new Uint8Array(0);
  for await (const piece of pieces) {
    const joined = left.length === 0 ? piece : new Uint8Array(left.length + piece.length);
    if (left.length > 0) {
      joined.set(left);
      joined.set(piece, left.length);
    }
    const whole = joined.length - joined.length % row;
    if (whole > 0) yield joined.subarray(0, whole);
    left = joined.slice(whole);
  }
}
