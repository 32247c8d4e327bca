/**
 * Reads archives of images: zip, tar and tar.gz.
 *
 * @module
 */
import { isGzip } from "../compression/gzip.ts";
import { findUnsupportedCompression } from "../compression/unsupportedFormats.ts";
import { DatasetError } from "../dataset.ts";
import { readHead } from "../../readHead.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import type { ArchiveEntry } from "./entry.ts";
import { readTar } from "./readTar.ts";
import { readZip } from "./readZip.ts";
import { isTarHeader, TAR_BLOCK } from "./tarFormat.ts";

/** Whether a file begins with a local file header, or with the end record of an empty zip (APPNOTE 4.3). */
function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && [0x0304, 0x0506].includes(head[2] << 8 | head[3]);
}

/** Error messages of the zip library, and the messages for users that replace them. */
const ZIP_MESSAGES: readonly (readonly [RegExp, string])[] = [
  [/strong encryption/i, "is encrypted: make the archive without a password"],
  [/multi-disk/i, "is one part of a multi-part zip: make the archive in one part"],
  [
    /central dir\w* record signature not found/i,
    "is damaged: the end of the zip is missing, as after an interrupted download",
  ],
  [/extra bytes at the end/i, "is damaged: the file has more bytes after the end of the zip"],
  [
    /(too many|not enough) bytes in the stream/i,
    "is damaged: an entry's size differs from its declared size",
  ],
];

/** Signatures of unsupported archive formats. */
const UNSUPPORTED: readonly (readonly [name: string, signature: readonly number[]])[] = [
  ["a 7z archive", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ["a RAR archive", [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]],
];

/** Describes a file that is neither a zip nor a tar. */
function describeFormat(head: Uint8Array): string {
  if (head.length === 0) return "is empty";
  const archive = UNSUPPORTED.find(([, bytes]) => bytes.every((byte, i) => head[i] === byte));
  if (archive) return `is ${archive[0]}`;
  const compression = findUnsupportedCompression(head);
  return compression ? `is compressed with ${compression}` : "is neither a zip nor a tar file";
}

/**
 * Yields the files of an archive in its order, without folders. Files that are not images, and files made by tools, are
 * yielded without their bytes.
 *
 * @param notes notes for the user are added here
 * @throws {DatasetError} with the field, for files of another format, damaged archives and unsafe entries
 */
export async function* readArchive(
  file: UploadedFile,
  notes: string[],
  signal?: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const head = await readHead(file.path, TAR_BLOCK);
  if (!isZip(head) && !isTarHeader(head) && !isGzip(head)) {
    throw new DatasetError(`${describeFormat(head)}: send images as zip, tar or tar.gz`, file.field);
  }
  try {
    yield* isZip(head) ? readZip(file, notes, signal) : readTar(file, signal);
  } catch (error) {
    if (error instanceof DatasetError || signal?.aborted) throw error;
    const message = ZIP_MESSAGES.find(([pattern]) => pattern.test(String(error)))?.[1];
    if (message) throw new DatasetError(message, file.field, { cause: error });
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new DatasetError(`is damaged: ${reason.replace(/\p{C}/gu, "?").slice(0, 200)}`, file.field, {
      cause: error,
    });
  }
}
