/**
 * Archives of images: zip, tar and tar.gz. They are read entry by entry, and every name is checked before it is used.
 *
 * @module
 */
import type { ArchiveEntry } from "./entry.ts";
import { isTarHeader, readTar, TAR_BLOCK } from "./tar.ts";
import { readZip } from "./zip.ts";
import { UNSUPPORTED_COMPRESSION } from "../compression/unsupported.ts";
import { DatasetError } from "../dataset.ts";
import { isGzip } from "../compression/gzip.ts";
import { readHead, type UploadedFile } from "../uploadedFile.ts";

/** A zip begins with a local file header, or with the end of an empty directory (APPNOTE 4.3). */
function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && [0x0304, 0x0506].includes(bytes[2] << 8 | bytes[3]);
}

/** Error messages of the zip library, and the messages for users that replace them. */
const NOT_READ: readonly (readonly [RegExp, string])[] = [
  [/strong encryption/i, "is encrypted: make the archive without a password"],
  [/multi-disk/i, "is one part of a multi-part zip: make the archive in one part"],
  [
    /central dir\w* record signature not found/i,
    "is damaged: it is a zip without its end, as after a broken download",
  ],
  [/extra bytes at the end/i, "is damaged: there are other bytes after the end of the zip"],
  [/(too many|not enough) bytes in the stream/i, "is damaged: an entry's size is not what the zip says"],
];

/** Unsupported kinds of archives, with their first bytes. */
const OTHERS: readonly (readonly [name: string, head: readonly number[]])[] = [
  ["a 7z archive", [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]],
  ["a RAR archive", [0x52, 0x61, 0x72, 0x21, 0x1a, 0x07]],
  ...UNSUPPORTED_COMPRESSION.map(([kind, start]) => [`compressed by ${kind}`, start] as const),
];

/** Describes a file that is neither a zip nor a tar. */
function otherKind(head: Uint8Array): string {
  if (head.length === 0) return "is empty";
  const other = OTHERS.find(([, bytes]) => bytes.every((byte, at) => head[at] === byte));
  return other ? `is ${other[0]}` : "is neither a zip nor a tar file";
}

/**
 * Yields the files of an archive in its own order, without folders. Files that are not images, and files made by tools,
 * are yielded without their bytes.
 *
 * @param notes receives notes for the user about the reading
 * @throws {DatasetError} naming the field, for what is no archive, is damaged, or holds what is not taken
 */
export async function* readArchive(
  file: UploadedFile,
  notes: string[],
  signal?: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const head = await readHead(file.path, TAR_BLOCK);
  if (!isZip(head) && !isTarHeader(head) && !isGzip(head)) {
    throw new DatasetError(`${otherKind(head)}: send images as zip, tar or tar.gz`, file.field);
  }
  try {
    yield* isZip(head) ? readZip(file, notes, signal) : readTar(file, signal);
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
