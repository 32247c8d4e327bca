/**
 * Archives of pictures: zip, tar and tar.gz, read entry by entry, every name checked before it means anything.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import { extract, type Header } from "tar-stream";
// @ts-types="@types/yauzl"
import { openPromise } from "yauzl";
import { PICTURE_LIMITS } from "../images.ts";
import { DatasetError } from "./dataset.ts";
import { beginning, content, isGzip, type UploadedFile } from "./gzip.ts";

/** Explicit limits of an archive. */
export const ARCHIVE_LIMITS = {
  /** Entries, folders included. */
  entries: 500_000,
  /** Bytes of all entries unpacked. */
  bytes: 16 * 2 ** 30,
  /** Characters of an entry's name. */
  name: 1024,
} as const;

/** A file in an archive. */
export interface ArchiveEntry {
  /** Segments between `/`, none of them empty, `.` or `..`. */
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** How an entry is shown in a message: a name of an attacker's making cannot break the line or the answer. */
export function shown(name: string): string {
  return `'${name.replace(/\p{C}/gu, "?").slice(0, 120)}'`;
}

/** What archivers and desktops leave behind. */
function isLitter(path: string): boolean {
  const segments = path.split("/");
  return segments.includes("__MACOSX") ||
    ["Thumbs.db", "desktop.ini"].includes(segments.at(-1)!) || segments.at(-1)!.startsWith(".");
}

/** A name that stays inside the archive's folder on every system. */
function checkedPath(name: string, field: string): string {
  const wrong = (why: string) => new DatasetError(`holds ${shown(name)}, ${why}`, field);
  if (name.length > ARCHIVE_LIMITS.name) throw wrong(`a name of more than ${ARCHIVE_LIMITS.name} characters`);
  if (/\p{C}|\ufffd/u.test(name)) throw wrong("a name with control or direction characters, or not in UTF-8");
  if (name.includes("\\")) throw wrong("a name with a backslash");
  if (/^(\/|[A-Za-z]:)/.test(name)) throw wrong("an absolute path");
  const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw wrong("a path that leaves the archive");
  return segments.join("/");
}

/** Reads a stream whole, but no more than a picture may have. */
async function whole(stream: Readable, path: string, field: string): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const part of stream) {
    size += part.length;
    if (size > PICTURE_LIMITS.bytes) throw tooLarge(path, field);
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function tooLarge(path: string, field: string): DatasetError {
  return new DatasetError(
    `holds ${shown(path)}, which has more than ${PICTURE_LIMITS.bytes} bytes`,
    field,
  );
}

/** Counts what has been seen, so that no archive unpacks without end and no name comes twice. */
class Ledger {
  #entries = 0;
  #bytes = 0;
  readonly #names = new Map<string, string>();
  constructor(readonly field: string) {}

  /** Counts an entry. */
  entry(): void {
    if (++this.#entries > ARCHIVE_LIMITS.entries) {
      throw new DatasetError(`has more than ${ARCHIVE_LIMITS.entries} entries`, this.field);
    }
  }

  /** Counts a file. */
  file(path: string, bytes: number): void {
    if (path === "") throw new DatasetError("holds a file without a name", this.field);
    this.#bytes += bytes;
    if (this.#bytes > ARCHIVE_LIMITS.bytes) {
      throw new DatasetError(`unpacks to more than ${ARCHIVE_LIMITS.bytes} bytes`, this.field);
    }
    const folded = path.normalize("NFC").toLowerCase();
    const before = this.#names.get(folded);
    if (before !== undefined) {
      const why = before === path ? "twice" : `beside ${shown(before)}, which differs in case alone`;
      throw new DatasetError(`holds ${shown(path)} ${why}`, this.field);
    }
    this.#names.set(folded, path);
  }
}

async function* zipEntries(file: UploadedFile, signal?: AbortSignal): AsyncGenerator<ArchiveEntry> {
  const ledger = new Ledger(file.field);
  const zip = await openPromise(file.path, { strictFileNames: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      signal?.throwIfAborted();
      ledger.entry();
      const { fileName, externalFileAttributes, versionMadeBy } = entry;
      const path = checkedPath(fileName, file.field);
      if (fileName.endsWith("/") || isLitter(path)) continue;
      const mode = externalFileAttributes >>> 16;
      // Host system 3 is Unix: its file type lies in the upper half (APPNOTE 4.4.15).
      if (versionMadeBy >>> 8 === 3 && (mode & 0o170000) !== 0 && (mode & 0o170000) !== 0o100000) {
        throw new DatasetError(`holds ${shown(path)}, which is a link or a device`, file.field);
      }
      if (entry.isEncrypted()) throw new DatasetError(`holds ${shown(path)}, which is encrypted`, file.field);
      if (entry.uncompressedSize > PICTURE_LIMITS.bytes) throw tooLarge(path, file.field);
      ledger.file(path, entry.uncompressedSize);
      const bytes = await whole(await zip.openReadStreamPromise(entry), path, file.field);
      if (crc32(bytes) !== entry.crc32) {
        throw new DatasetError(`holds ${shown(path)}, whose checksum is wrong`, file.field);
      }
      yield { path, bytes };
    }
  } finally {
    zip.close();
  }
}

/** Bytes of a tar's block; a tar ends in blocks of zeros (POSIX, pax, ustar Interchange Format). */
const TAR_BLOCK = 512;

/** The pieces of a tar; one cut between two entries would else look like a whole, smaller one. */
async function* toItsEnd(
  pieces: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  field: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let zeros = 0;
  for await (const piece of pieces) {
    const last = piece.findLastIndex((byte) => byte !== 0);
    zeros = last === -1 ? zeros + piece.length : piece.length - 1 - last;
    yield piece;
  }
  if (zeros < TAR_BLOCK) throw new DatasetError("is damaged: it ends before the end of the tar", field);
}

async function* tarEntries(file: UploadedFile, signal?: AbortSignal): AsyncGenerator<ArchiveEntry> {
  const ledger = new Ledger(file.field);
  const tar = extract();
  const source = toItsEnd(content(file, signal), file.field);
  const feeding = pipeline(source, tar as unknown as NodeJS.WritableStream);
  feeding.catch(() => {});
  try {
    for await (const entry of tar) {
      signal?.throwIfAborted();
      ledger.entry();
      const { name, type, size = 0 } = entry.header as Header;
      const path = checkedPath(name, file.field);
      const skipped = type === "directory" || isLitter(path);
      if (!skipped && type !== "file" && type !== "contiguous-file") {
        const what = type ? `a ${type}` : "of an unknown type";
        throw new DatasetError(`holds ${shown(path)}, which is ${what}, not a file`, file.field);
      }
      if (skipped) {
        entry.resume();
        continue;
      }
      if (size > PICTURE_LIMITS.bytes) throw tooLarge(path, file.field);
      ledger.file(path, size);
      yield { path, bytes: await whole(entry as unknown as Readable, path, file.field) };
    }
    await feeding;
  } finally {
    tar.destroy();
    await source.return(undefined).catch(() => {});
  }
}

/** A zip begins with a local file header, or with the end of an empty directory (APPNOTE 4.3). */
function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && [0x0304, 0x0506].includes(bytes[2] << 8 | bytes[3]);
}

/**
 * The files of an archive in its own order; folders and what desktops leave behind are passed over.
 *
 * @throws {DatasetError} naming the field, for what is no archive, is damaged, or holds what is not taken
 */
export async function* archiveEntries(
  file: UploadedFile,
  signal?: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const head = await beginning(file.path, 512);
  const isTar = new TextDecoder().decode(head.subarray(257, 262)) === "ustar";
  if (!isZip(head) && !isTar && !isGzip(head)) {
    const what = head.length === 0 ? "is empty" : "is neither a zip nor a tar file";
    throw new DatasetError(`${what}: send pictures as zip, tar or tar.gz`, file.field);
  }
  try {
    yield* isZip(head) ? zipEntries(file, signal) : tarEntries(file, signal);
  } catch (error) {
    if (error instanceof DatasetError || signal?.aborted) throw error;
    const said = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new DatasetError(`is damaged: ${said.replace(/\p{C}/gu, "?").slice(0, 200)}`, file.field, {
      cause: error,
    });
  }
}
