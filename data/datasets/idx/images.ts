/**
 * Reads image files in the IDX format of MNIST: a big-endian header of dimensions, then unsigned bytes.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";
import type { ImageShape } from "../../images/imageShape.ts";
import { readContent } from "../compression/gzip.ts";
import { DatasetError } from "../dataset.ts";
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

/** Number and dimensions of the images of a file. */
export interface IdxImageHeader extends ImageShape {
  readonly count: number;
}

/** An image file that is being read. */
export interface IdxImages {
  readonly header: IdxImageHeader;
  /** Exactly count x height x width x channels bytes in the order of the file. */
  readonly pixels: AsyncGenerator<Bytes>;
}

/**
 * Opens an image file (magic 0x803 `[count, height, width]`, or 0x804 with channels last).
 *
 * @throws {DatasetError} with the field, while the file is opened and while pixels are read
 */
export async function openIdxImages(file: UploadedFile, signal?: AbortSignal): Promise<IdxImages> {
  const chunks = readContent(file, signal);
  try {
    return await readHeader(file, chunks);
  } catch (error) {
    await chunks.return(undefined);
    throw error;
  }
}

/** Checks that the file contains images of unsigned bytes. @returns the number of dimensions @throws {DatasetError} */
function checkMagic(file: UploadedFile, head: Bytes): number {
  const { hex, type, dimensions } = parseMagic(file, head, "image");
  if (type === IDX_TYPES.ubyte && (dimensions === 3 || dimensions === 4)) return dimensions;
  const message = `must be an IDX image file (magic number 0x00000803): it begins with ${hex}`;
  if (dimensions < 3) throw new DatasetError(`${message}, it is a label file`, file.field);
  const reason = type === IDX_TYPES.ubyte
    ? `, which has ${dimensions} dimensions: images have 3, or 4 with channels last`
    : `, which contains ${typeName(type)}: images must be unsigned bytes`;
  throw new DatasetError(`${message}${reason}`, file.field);
}

async function readHeader(file: UploadedFile, chunks: AsyncGenerator<Bytes>): Promise<IdxImages> {
  const magic = await readExactly(chunks, 4);
  const { dimensions, rest } = await readDimensions(
    file,
    chunks,
    checkMagic(file, magic.head),
    magic.rest,
  );
  const [count, height, width, channels = 1] = dimensions;
  if (channels !== 1 && channels !== 3) {
    throw new DatasetError(
      `declares ${channels} channels: the number must be 1 (grey) or 3 (RGB)`,
      file.field,
    );
  }
  const header: IdxImageHeader = {
    count: checkDimension(file, "images", count, IDX_LIMITS.count),
    height: checkDimension(file, "rows", height, IDX_LIMITS.side),
    width: checkDimension(file, "columns", width, IDX_LIMITS.side),
    channels,
  };
  const bytes = count * height * width * channels;
  if (bytes > IDX_LIMITS.bytes) {
    throw new DatasetError(
      `declares ${bytes} bytes of images: at most ${IDX_LIMITS.bytes} are allowed`,
      file.field,
    );
  }
  return { header, pixels: checkLength(file, rest, chunks, bytes) };
}
