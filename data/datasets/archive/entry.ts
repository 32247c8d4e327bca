/**
 * Files of an archive, the same for all formats.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { type Bytes, concatBytes } from "../../bytes.ts";
import { isImage, looksLikeImage } from "../../images/fileType.ts";
import { IMAGE_LIMITS } from "../../images/imageFile.ts";
import { tooLargeError } from "./limits.ts";

/** A file of an archive: the bytes of an image, or the reason why another file is skipped. */
export type ArchiveEntry =
  | { readonly path: string; readonly bytes: Bytes }
  | { readonly path: string; readonly skipped: "hidden" | "not_an_image" };

/** Number of bytes at the start of a file from which its type is detected. */
const SIGNATURE_BYTES = 32;

/**
 * Whether a file is read as an image. A file with the extension of an image, or an image of an unsupported type, is also
 * read, so that the decoder refuses it and the error names it.
 */
export function isImageEntry(path: string, head: Uint8Array): boolean {
  return isImage(head) || looksLikeImage(path, head);
}

/** Properties of a file that is being read. */
interface FileToRead {
  readonly path: string;
  /** Form field of the archive, for messages. */
  readonly field: string;
  /** Declared size in bytes. */
  readonly size: number;
  /** Whether the content of a skipped file must be read to its end, as in a tar. */
  readonly readToEnd: boolean;
}

/**
 * Reads a file, if it is an image.
 *
 * @returns the bytes of an image; null for another file
 * @throws {DatasetError} for an image that is too large
 */
export async function readImageBytes(
  stream: AsyncIterable<Bytes> | Readable,
  { path, field, size: declaredSize, readToEnd }: FileToRead,
): Promise<Bytes | null> {
  const parts: Bytes[] = [];
  let size = 0;
  let shouldRead: boolean | undefined;
  for await (const part of stream as AsyncIterable<Bytes>) {
    size += part.length;
    if (shouldRead === false) continue;
    parts.push(part);
    if (shouldRead !== undefined || size < Math.min(SIGNATURE_BYTES, declaredSize)) continue;
    shouldRead = isImageEntry(path, concatBytes(parts));
    if (shouldRead && declaredSize > IMAGE_LIMITS.bytes) throw tooLargeError(path, field);
    if (!shouldRead && !readToEnd) break;
    if (!shouldRead) parts.length = 0;
  }
  shouldRead ??= isImageEntry(path, new Uint8Array(0));
  return shouldRead ? concatBytes(parts) : null;
}
