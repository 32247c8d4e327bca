/**
 * The IDX format of MNIST: a big-endian header of dimensions, then unsigned bytes.
 *
 * @module
 */
import { DatasetError } from "./dataset.ts";
import { content, isGzip, type UploadedFile } from "./gzip.ts";

/** Explicit limits of IDX files. */
export const IDX_LIMITS = { count: 10_000_000, side: 4096, bytes: 16 * 2 ** 30 } as const;

/** What the header of an image file says. */
export interface IdxImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
}

type Bytes = Uint8Array<ArrayBuffer>;

const MAGIC = { labels: 0x00000801, images: 0x00000803, colour: 0x00000804 };
const hex = (magic: number) => `0x${magic.toString(16).padStart(8, "0")}`;

/** Cuts a stream into its first bytes and the rest. */
async function splitAt(pieces: AsyncGenerator<Bytes>, bytes: number): Promise<{ head: Bytes; rest: Bytes }> {
  let head = new Uint8Array(0);
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

/** The pieces, which must be exactly so many bytes together. */
async function* exactly(file: UploadedFile, first: Bytes, pieces: AsyncGenerator<Bytes>, bytes: number) {
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

function word(head: Bytes, at: number): number {
  return new DataView(head.buffer, head.byteOffset).getUint32(at);
}

function checkMagic(file: UploadedFile, head: Bytes, wanted: readonly number[], what: string): number {
  if (head.length < 4) throw new DatasetError("is too short to be an IDX file", file.field);
  if (isGzip(head)) throw new DatasetError("is gzipped twice: gzip it once, or not at all", file.field);
  const magic = word(head, 0);
  if (wanted.includes(magic)) return magic;
  const other = magic === MAGIC.labels
    ? ", it is a label file"
    : magic === MAGIC.images
    ? ", it is an image file"
    : "";
  throw new DatasetError(
    `must be an IDX ${what} file (magic number ${hex(wanted[0])}): it begins with ${hex(magic)}${other}`,
    file.field,
  );
}

function dimension(file: UploadedFile, name: string, value: number, most: number): number {
  if (value >= 1 && value <= most) return value;
  throw new DatasetError(`declares ${value} ${name}: it must be 1 to ${most}`, file.field);
}

/**
 * Opens an image file (magic 0x803 `[count, height, width]`, or 0x804 with channels last).
 *
 * @returns the header, and the pixels as they stand: exactly count x height x width x channels bytes
 * @throws {DatasetError} naming the field, while opening and while reading
 */
export async function openIdxImages(
  file: UploadedFile,
  signal?: AbortSignal,
): Promise<{ header: IdxImages; pixels: AsyncGenerator<Bytes> }> {
  const pieces = content(file, signal);
  try {
    return await headed(file, pieces);
  } catch (error) {
    await pieces.return(undefined);
    throw error;
  }
}

async function headed(
  file: UploadedFile,
  pieces: AsyncGenerator<Bytes>,
): Promise<{ header: IdxImages; pixels: AsyncGenerator<Bytes> }> {
  const { head: start, rest: after } = await splitAt(pieces, 16);
  const magic = checkMagic(file, start, [MAGIC.images, MAGIC.colour], "image");
  let rest = after, channels = 1, extra = new Uint8Array(0);
  if (magic === MAGIC.colour) {
    const joined = await splitAt(prefixed(rest, pieces), 4);
    extra = joined.head;
    rest = joined.rest;
  }
  if (start.length < 16 || (magic === MAGIC.colour && extra.length < 4)) {
    throw new DatasetError("ends inside its header", file.field);
  }
  if (magic === MAGIC.colour) channels = word(extra, 0);
  if (channels !== 1 && channels !== 3) {
    throw new DatasetError(`declares ${channels} channels: it must be 1 (grey) or 3 (RGB)`, file.field);
  }
  const header: IdxImages = {
    count: dimension(file, "pictures", word(start, 4), IDX_LIMITS.count),
    height: dimension(file, "rows", word(start, 8), IDX_LIMITS.side),
    width: dimension(file, "columns", word(start, 12), IDX_LIMITS.side),
    channels,
  };
  const bytes = header.count * header.height * header.width * channels;
  if (bytes > IDX_LIMITS.bytes) {
    throw new DatasetError(
      `declares ${bytes} bytes of pictures: at most ${IDX_LIMITS.bytes} are taken`,
      file.field,
    );
  }
  return { header, pixels: exactly(file, rest, pieces, bytes) };
}

async function* prefixed(first: Bytes, pieces: AsyncGenerator<Bytes>): AsyncGenerator<Bytes> {
  if (first.length > 0) yield first;
  while (true) {
    const { done, value } = await pieces.next();
    if (done) return;
    yield value;
  }
}

/**
 * Reads a label file (magic 0x801): one unsigned byte a label.
 *
 * @throws {DatasetError} naming the field
 */
export async function readIdxLabels(file: UploadedFile, signal?: AbortSignal): Promise<Bytes> {
  const pieces = content(file, signal);
  try {
    const { head, rest } = await splitAt(pieces, 8);
    checkMagic(file, head, [MAGIC.labels], "label");
    if (head.length < 8) throw new DatasetError("ends inside its header", file.field);
    const count = dimension(file, "labels", word(head, 4), IDX_LIMITS.count);
    const parts: Bytes[] = [];
    for await (const piece of exactly(file, rest, pieces, count)) parts.push(piece);
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  } finally {
    await pieces.return(undefined);
  }
}
