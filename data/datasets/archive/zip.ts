/**
 * Zip files. The whole directory is checked before anything is unpacked.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
// @ts-types="@types/yauzl"
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { IMAGE_LIMITS } from "../../images/imageFile.ts";
import { DatasetError } from "../dataset.ts";
import { ExpansionLimit } from "../compression/expansionLimit.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";
import {
  ARCHIVE_LIMITS,
  ArchiveChecker,
  type ArchiveEntry,
  isImageEntry,
  readImageBytes,
  tooManyEntries,
} from "./entry.ts";
import { isIgnoredPath, normalizePath, quoted } from "./paths.ts";
import { decodeName, type ZipName } from "./zipNames.ts";

/** Host systems (APPNOTE 4.4.2) whose archivers may write backslashes: FAT, HPFS, NTFS, VFAT. */
const WINDOWS: ReadonlySet<number> = new Set([0, 6, 10, 14]);
/** Host systems with Unix file types in the upper half of the attributes: Unix, OS X. */
const UNIX: ReadonlySet<number> = new Set([3, 19]);
/** MS-DOS attribute of a folder. */
const DOS_FOLDER = 0x10;
/** Bytes of a local file header without its name (APPNOTE 4.3.7). */
const LOCAL_HEADER = 30;

/** Names of unsupported compression methods (APPNOTE 4.4.5). */
const METHODS: Readonly<Record<number, string>> = {
  9: "Deflate64",
  12: "bzip2",
  14: "LZMA",
  93: "Zstandard",
  95: "XZ",
  98: "PPMd",
};

/** An entry of the directory, with its name decoded. */
type Named = ZipName & { readonly entry: Entry };
/** A file to read. */
type Listed = { readonly path: string; readonly entry: Entry };

async function directoryOf(zip: ZipFile, field: string, signal?: AbortSignal): Promise<Named[]> {
  if (zip.entryCount > ARCHIVE_LIMITS.entries) throw tooManyEntries(field);
  const named: Named[] = [];
  for await (const entry of zip.eachEntry()) {
    signal?.throwIfAborted();
    const { fileNameRaw: bytes, generalPurposeBitFlag, extraFields } = entry;
    named.push({
      ...decodeName({ bytes, utf8: (generalPurposeBitFlag & 0x800) !== 0, extraFields }, field),
      entry,
    });
    // Up to half a million entries are kept, so each holds only what is needed to read it.
    const empty = bytes.subarray(0, 0);
    Object.assign(entry, {
      fileNameRaw: empty,
      extraFieldRaw: empty,
      fileCommentRaw: empty,
      extraFields: [],
    });
  }
  return named;
}

/**
 * Refuses entries that overlap. They would unpack the same compressed data many times ("A better zip bomb", Fifield,
 * WOOT 2019).
 */
async function checkOverlap(named: readonly Named[], field: string): Promise<void> {
  const wrong = () => new DatasetError("has entries that overlap each other", field);
  const sizes = new Map<number, number>();
  for (const { entry } of named) {
    await yieldToEventLoop();
    const start = entry.relativeOffsetOfLocalHeader;
    if (sizes.has(start)) throw wrong();
    sizes.set(start, LOCAL_HEADER + entry.compressedSize);
  }
  const starts = Float64Array.from(sizes.keys()).sort();
  await yieldToEventLoop();
  for (let i = 1; i < starts.length; i++) {
    if (starts[i - 1] + sizes.get(starts[i - 1])! > starts[i]) throw wrong();
  }
}

function checkKind(path: string, entry: Entry, field: string): void {
  const kind = entry.externalFileAttributes >>> 16 & 0o170000;
  if (UNIX.has(entry.versionMadeBy >>> 8) && kind !== 0 && kind !== 0o100000) {
    throw new DatasetError(`holds ${quoted(path)}, which is a link or a device`, field);
  }
  if (entry.isEncrypted()) throw new DatasetError(`holds ${quoted(path)}, which is encrypted`, field);
  if (entry.canDecodeFileData()) return;
  const method = METHODS[entry.compressionMethod] ?? `method ${entry.compressionMethod}`;
  throw new DatasetError(
    `holds ${
      quoted(path)
    }, which is compressed by ${method}: make the archive with Deflate or without compression`,
    field,
  );
}

/** True for names whose backslashes separate folders, as Windows PowerShell and old .NET write them. */
function separators({ name, entry, guessed }: Named, slashes: boolean): boolean {
  return name.includes("\\") && !guessed && (WINDOWS.has(entry.versionMadeBy >>> 8) || !slashes);
}

/** Checks every entry of the directory. @returns the files, in the directory's order */
async function checkedFiles(
  named: readonly Named[],
  file: UploadedFile,
  notes: string[],
): Promise<Listed[]> {
  const { field } = file;
  const ledger = new ArchiveChecker(field), expansion = new ExpansionLimit(file.size, field);
  const slashes = named.some(({ name }) => name.includes("/"));
  const files: Listed[] = [];
  for (const one of named) {
    await yieldToEventLoop();
    const name = separators(one, slashes) ? one.name.replaceAll("\\", "/") : one.name;
    const { entry } = one;
    const path = normalizePath(name, field);
    const folder = (entry.externalFileAttributes & DOS_FOLDER) !== 0 && entry.uncompressedSize === 0;
    if (name.endsWith("/") || folder) continue;
    ledger.file(path);
    if (!isIgnoredPath(path)) {
      checkKind(path, entry, field);
      ledger.bytes(entry.uncompressedSize);
      if (entry.uncompressedSize <= IMAGE_LIMITS.bytes) expansion.add(entry.uncompressedSize);
    }
    files.push({ path, entry });
  }
  const guessed = named.find(({ guessed }) => guessed);
  if (guessed) {
    notes.push(
      `Names such as ${
        quoted(guessed.name)
      } are not in UTF-8: they were read in code page 437, the default of zip ` +
        "files. If they look wrong, make the archive with UTF-8 names.",
    );
  }
  return files;
}

async function imageOf(
  zip: ZipFile,
  { path, entry }: Listed,
  field: string,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const empty = entry.uncompressedSize === 0 && entry.compressedSize <= 2;
  if (empty) return isImageEntry(path, new Uint8Array(0)) ? new Uint8Array(0) : null;
  const stream = await zip.openReadStreamPromise(entry) as Readable;
  const bytes = await readImageBytes(stream, { path, field, size: entry.uncompressedSize, toItsEnd: false });
  if (bytes !== null && crc32(bytes) !== entry.crc32) {
    throw new DatasetError(`holds ${quoted(path)}, whose checksum is wrong`, field);
  }
  return bytes;
}

/**
 * The files of a zip in the order of its directory.
 *
 * @param notes receives notes for the user about the reading
 * @throws {DatasetError} naming the field
 */
export async function* readZip(
  file: UploadedFile,
  notes: string[],
  signal?: AbortSignal,
): AsyncGenerator<ArchiveEntry> {
  const zip = await openPromise(file.path, { decodeStrings: false, autoClose: false });
  try {
    const named = await directoryOf(zip, file.field, signal);
    await checkOverlap(named, file.field);
    for (const listed of await checkedFiles(named, file, notes)) {
      signal?.throwIfAborted();
      await yieldToEventLoop();
      const { path } = listed;
      if (isIgnoredPath(path)) {
        yield { path, passedOver: "hidden" };
        continue;
      }
      const bytes = await imageOf(zip, listed, file.field);
      yield bytes === null ? { path, passedOver: "not_an_image" } : { path, bytes };
    }
  } finally {
    zip.close();
  }
}
