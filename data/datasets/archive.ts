/**
 * Archives of images: zip, tar and tar.gz, read entry by entry, every name checked before it means anything.
 *
 * @module
 */
import type { ArchiveEntry } from "./archive/entry.ts";
import { isTarHeader, TAR_BLOCK, tarEntries } from "./archive/tar.ts";
import { zipEntries } from "./archive/zip.ts";
import { DatasetError } from "./dataset.ts";
import { beginning, isGzip, type UploadedFile } from "./gzip.ts";

/** A zip begins with a local file header, or with the end of an empty directory (APPNOTE 4.3). */
function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && [0x0304, 0x0506].includes(bytes[2] << 8 | bytes[3]);
}

/** Errors of the zip library about sound files, and what to say. */
const NOT_READ: readonly (readonly [RegExp, string])[] = [
  [/strong encryption/i, "is encrypted: make the archive without a password"],
  [/multi-disk/i, "is one part of a zip in several: make the archive in one part"],
];

/**
 * The files of an archive in its own order; folders are left out. Files that are no images, or that tools made, come
 * without their bytes.
 *
 * @param notes receives what a user must be told about the reading
 * @throws {DatasetError} naming the field, for what is no archive, is damaged, or holds what is not taken
 */
export async function* archiveEntries(
  file: UploadedFile,
  notes: string[],
  signal?: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const head = await beginning(file.path, TAR_BLOCK);
  if (!isZip(head) && !isTarHeader(head) && !isGzip(head)) {
    const what = head.length === 0 ? "is empty" : "is neither a zip nor a tar file";
    throw new DatasetError(`${what}: send images as zip, tar or tar.gz`, file.field);
  }
  try {
    yield* isZip(head) ? zipEntries(file, notes, signal) : tarEntries(file, signal);
  } catch (error) {
    if (error instanceof DatasetError || signal?.aborted) throw error;
    const known = NOT_READ.find(([message]) => message.test(String(error)));
    if (known) throw new DatasetError(known[1], file.field, { cause: error });
    const said = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new DatasetError(`is damaged: ${said.replace(/\p{C}/gu, "?").slice(0, 200)}`, file.field, {
      cause: error,
    });
  }
}
