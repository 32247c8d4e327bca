/**
 * Reads zip files.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
// @ts-types="@types/yauzl"
import { openPromise, type ZipFile } from "yauzl";
import type { Bytes } from "../../bytes.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";
import { DatasetError } from "../dataset.ts";
import { quoted } from "../quoted.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { type ArchiveEntry, isImageEntry, readImageBytes } from "./entry.ts";
import { isHiddenPath } from "./paths.ts";
import { readZipDirectory, type ZipMember } from "./zipDirectory.ts";

async function readMember(zip: ZipFile, { path, entry }: ZipMember, field: string): Promise<Bytes | null> {
  const isEmpty = entry.uncompressedSize === 0 && entry.compressedSize <= 2;
  if (isEmpty) return isImageEntry(path, new Uint8Array(0)) ? new Uint8Array(0) : null;
  const stream = await zip.openReadStreamPromise(entry) as Readable;
  const bytes = await readImageBytes(stream, {
    path,
    field,
    size: entry.uncompressedSize,
    readToEnd: false,
  });
  if (bytes !== null && crc32(bytes) !== entry.crc32) {
    throw new DatasetError(`contains ${quoted(path)}, whose checksum is wrong`, field);
  }
  return bytes;
}

/**
 * Yields the files of a zip in the order of its directory.
 *
 * @param notes notes for the user are added here
 * @throws {DatasetError} with the field
 */
export async function* readZip(
  file: UploadedFile,
  notes: string[],
  signal?: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const zip = await openPromise(file.path, { decodeStrings: false, autoClose: false });
  try {
    for (const member of await readZipDirectory(zip, file, notes, signal)) {
      signal?.throwIfAborted();
      await yieldToEventLoop();
      const { path } = member;
      if (isHiddenPath(path)) {
        yield { path, skipped: "hidden" };
        continue;
      }
      const bytes = await readMember(zip, member, file.field);
      yield bytes === null ? { path, skipped: "not_an_image" } : { path, bytes };
    }
  } finally {
    zip.close();
  }
}
