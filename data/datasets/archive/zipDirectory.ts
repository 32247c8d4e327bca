/**
 * The central directory of a zip file. The whole directory is checked before any file is unpacked.
 *
 * @module
 */
// @ts-types="@types/yauzl"
import type { Entry, ZipFile } from "yauzl";
import { yieldToEventLoop } from "../../eventLoop.ts";
import { IMAGE_LIMITS } from "../../images/imageFile.ts";
import { ExpansionLimit } from "../compression/expansionLimit.ts";
import { DatasetError } from "../dataset.ts";
import { quoted } from "../quoted.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { ARCHIVE_LIMITS, ArchiveChecker, tooManyEntriesError } from "./limits.ts";
import { isHiddenPath, normalizePath } from "./paths.ts";
import { decodeName, type ZipName } from "./zipNames.ts";

/** Host systems (APPNOTE 4.4.2) whose archivers may write backslashes: FAT, HPFS, NTFS, VFAT. */
const WINDOWS: ReadonlySet<number> = new Set([0, 6, 10, 14]);
/** Host systems with Unix file types in the upper half of the attributes: Unix, OS X. */
const UNIX: ReadonlySet<number> = new Set([3, 19]);
/** MS-DOS attribute of a folder. */
const DOS_FOLDER = 0x10;
/** Bytes of a local file header without its name (APPNOTE 4.3.7). */
const LOCAL_HEADER_BYTES = 30;

/** Names of unsupported compression methods (APPNOTE 4.4.5). */
const METHODS: Readonly<Record<number, string>> = {
  9: "Deflate64",
  12: "bzip2",
  14: "LZMA",
  93: "Zstandard",
  95: "XZ",
  98: "PPMd",
};

/** An entry of the directory with its decoded name. */
type NamedEntry = ZipName & { readonly entry: Entry };

/** A file of the archive with its normalized path. */
export interface ZipMember {
  readonly path: string;
  readonly entry: Entry;
}

/**
 * Reads and checks the directory.
 *
 * @param notes notes for the user are added here
 * @returns the files in the order of the directory
 * @throws {DatasetError} with the field
 */
export async function readZipDirectory(
  zip: ZipFile,
  file: UploadedFile,
  notes: string[],
  signal?: AbortSignal,
): Promise<ZipMember[]> {
  const entries = await readEntries(zip, file.field, signal);
  await checkOverlap(entries, file.field);
  return await checkEntries(entries, file, notes);
}

async function readEntries(zip: ZipFile, field: string, signal?: AbortSignal): Promise<NamedEntry[]> {
  if (zip.entryCount > ARCHIVE_LIMITS.entries) throw tooManyEntriesError(field);
  const entries: NamedEntry[] = [];
  for await (const entry of zip.eachEntry()) {
    signal?.throwIfAborted();
    const { fileNameRaw: bytes, generalPurposeBitFlag, extraFields } = entry;
    entries.push({
      ...decodeName({ bytes, utf8: (generalPurposeBitFlag & 0x800) !== 0, extraFields }, field),
      entry,
    });
    // Up to half a million entries are kept in memory, so fields that are no longer needed are cleared.
    const empty = bytes.subarray(0, 0);
    Object.assign(entry, {
      fileNameRaw: empty,
      extraFieldRaw: empty,
      fileCommentRaw: empty,
      extraFields: [],
    });
  }
  return entries;
}

/**
 * Refuses entries that overlap. They would unpack the same compressed data many times ("A better zip bomb", Fifield,
 * WOOT 2019).
 */
async function checkOverlap(entries: readonly NamedEntry[], field: string): Promise<void> {
  const overlapError = () => new DatasetError("has entries that overlap each other", field);
  const sizes = new Map<number, number>();
  for (const { entry } of entries) {
    await yieldToEventLoop();
    const start = entry.relativeOffsetOfLocalHeader;
    if (sizes.has(start)) throw overlapError();
    sizes.set(start, LOCAL_HEADER_BYTES + entry.compressedSize);
  }
  const starts = Float64Array.from(sizes.keys()).sort();
  await yieldToEventLoop();
  for (let i = 1; i < starts.length; i++) {
    if (starts[i - 1] + sizes.get(starts[i - 1])! > starts[i]) throw overlapError();
  }
}

function checkType(path: string, entry: Entry, field: string): void {
  const fileType = entry.externalFileAttributes >>> 16 & 0o170000;
  if (UNIX.has(entry.versionMadeBy >>> 8) && fileType !== 0 && fileType !== 0o100000) {
    throw new DatasetError(`contains ${quoted(path)}, which is a link or a device`, field);
  }
  if (entry.isEncrypted()) throw new DatasetError(`contains ${quoted(path)}, which is encrypted`, field);
  if (entry.canDecodeFileData()) return;
  const method = METHODS[entry.compressionMethod] ?? `method ${entry.compressionMethod}`;
  throw new DatasetError(
    `contains ${
      quoted(path)
    }, which is compressed with ${method}: make the archive with Deflate or without ` +
      "compression",
    field,
  );
}

/** Whether backslashes in a name separate folders, as Windows PowerShell and old versions of .NET write them. */
function hasBackslashSeparators({ name, entry, guessed }: NamedEntry, archiveHasSlashes: boolean): boolean {
  return name.includes("\\") && !guessed && (WINDOWS.has(entry.versionMadeBy >>> 8) || !archiveHasSlashes);
}

async function checkEntries(
  entries: readonly NamedEntry[],
  file: UploadedFile,
  notes: string[],
): Promise<ZipMember[]> {
  const { field } = file;
  const checker = new ArchiveChecker(field), expansion = new ExpansionLimit(file.size, field);
  const archiveHasSlashes = entries.some(({ name }) => name.includes("/"));
  const members: ZipMember[] = [];
  for (const named of entries) {
    await yieldToEventLoop();
    const { entry } = named;
    const name = hasBackslashSeparators(named, archiveHasSlashes)
      ? named.name.replaceAll("\\", "/")
      : named.name;
    const path = normalizePath(name, field);
    const isDosFolder = (entry.externalFileAttributes & DOS_FOLDER) !== 0 && entry.uncompressedSize === 0;
    if (name.endsWith("/") || isDosFolder) continue;
    checker.addFile(path);
    if (!isHiddenPath(path)) {
      checkType(path, entry, field);
      checker.addBytes(entry.uncompressedSize);
      if (entry.uncompressedSize <= IMAGE_LIMITS.bytes) expansion.add(entry.uncompressedSize);
    }
    members.push({ path, entry });
  }
  const guessed = entries.find(({ guessed }) => guessed);
  if (guessed) {
    notes.push(
      `Names such as ${
        quoted(guessed.name)
      } are not in UTF-8: they were decoded as code page 437, the default ` +
        "of zip files. If they look wrong, make the archive with UTF-8 names.",
    );
  }
  return members;
}
