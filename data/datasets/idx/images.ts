/**
 * The IDX format of MNIST: a big-endian header of dimensions, then numbers. Images are unsigned bytes.
 *
 * @module
 */
import { DatasetError } from "../dataset.ts";
import { content } from "../compression/gzip.ts";
import { type UploadedFile } from "../uploadedFile.ts";
import { dimension, IDX_TYPES, readExactly, readMagic, typeName, withExactLength, word } from "./header.ts";

/** Explicit limits of IDX files. */
export const IDX_LIMITS = { count: 10_000_000, side: 4096, bytes: 16 * 2 ** 30 } as const;

/** What the header of an image file says. */
export interface IdxImageHeader {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
}

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Opens an image file (magic 0x803 `[count, height, width]`, or 0x804 with channels last).
 *
 * @returns the header, and the pixels as they stand: exactly count x height x width x channels bytes
 * @throws {DatasetError} naming the field, while opening and while reading
 */
export async function openIdxImages(
  file: UploadedFile,
  signal?: AbortSignal,
): Promise<{ header: IdxImageHeader; pixels: AsyncGenerator<Bytes> }> {
  const pieces = content(file, signal);
  try {
    return await headed(file, pieces);
  } catch (error) {
    await pieces.return(undefined);
    throw error;
  }
}

/** @throws {DatasetError} unless the file holds images of unsigned bytes @returns the number of dimensions */
function checkImages(file: UploadedFile, head: Bytes): number {
  const { magic, type, dimensions } = readMagic(file, head, "image");
  if (type === IDX_TYPES.ubyte && (dimensions === 3 || dimensions === 4)) return dimensions;
  const begins = `must be an IDX image file (magic number 0x00000803): it begins with ${magic}`;
  if (dimensions < 3) throw new DatasetError(`${begins}, it is a label file`, file.field);
  const why = type === IDX_TYPES.ubyte
    ? `, which has ${dimensions} dimensions: images have 3, or 4 with channels last`
    : `, which holds ${typeName(type)}: images must be unsigned bytes`;
  throw new DatasetError(`${begins}${why}`, file.field);
}

async function headed(
  file: UploadedFile,
  pieces: AsyncGenerator<Bytes>,
): Promise<{ header: IdxImageHeader; pixels: AsyncGenerator<Bytes> }> {
  const start = await readExactly(pieces, 4);
  const dimensions = checkImages(file, start.head);
  const { head, rest } = await readExactly(pieces, 4 * dimensions, start.rest);
  if (head.length < 4 * dimensions) throw new DatasetError("ends inside its header", file.field);
  const channels = dimensions === 4 ? word(head, 12) : 1;
  if (channels !== 1 && channels !== 3) {
    throw new DatasetError(`declares ${channels} channels: it must be 1 (grey) or 3 (RGB)`, file.field);
  }
  const header: IdxImageHeader = {
    count: dimension(file, "images", word(head, 0), IDX_LIMITS.count),
    height: dimension(file, "rows", word(head, 4), IDX_LIMITS.side),
    width: dimension(file, "columns", word(head, 8), IDX_LIMITS.side),
    channels,
  };
  const bytes = header.count * header.height * header.width * channels;
  if (bytes > IDX_LIMITS.bytes) {
    throw new DatasetError(
      `declares ${bytes} bytes of images: at most ${IDX_LIMITS.bytes} are taken`,
      file.field,
    );
  }
  return { header, pixels: withExactLength(file, rest, pieces, bytes) };
}
