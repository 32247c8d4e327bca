/**
 * Limits of an archive, which protect against decompression bombs.
 *
 * @module
 */
import { IMAGE_LIMITS } from "../../images/imageFile.ts";
import { DatasetError } from "../dataset.ts";
import { quoted } from "../quoted.ts";

/** Limits of an archive. */
export const ARCHIVE_LIMITS = {
  /** Entries, including folders. */
  entries: 500_000,
  /** Bytes of all entries when unpacked, including skipped files. */
  bytes: 16 * 2 ** 30,
} as const;

/** Creates the error for an archive with too many entries. */
export function tooManyEntriesError(field: string): DatasetError {
  return new DatasetError(`has more than ${ARCHIVE_LIMITS.entries} entries`, field);
}

/** Creates the error for an image file that is too large. */
export function tooLargeError(path: string, field: string): DatasetError {
  return new DatasetError(
    `contains ${quoted(path)}, which has more than ${IMAGE_LIMITS.bytes} bytes`,
    field,
  );
}

/** Counts the entries and bytes of an archive, and checks that no path occurs twice. */
export class ArchiveChecker {
  #entries = 0;
  #bytes = 0;
  readonly #paths = new Set<string>();

  /** @param field form field of the archive, for messages */
  constructor(readonly field: string) {}

  /** Counts an entry. @throws {DatasetError} */
  addEntry(): void {
    if (++this.#entries > ARCHIVE_LIMITS.entries) throw tooManyEntriesError(this.field);
  }

  /** Counts unpacked bytes. @throws {DatasetError} */
  addBytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= ARCHIVE_LIMITS.bytes) return;
    throw new DatasetError(`unpacks to more than ${ARCHIVE_LIMITS.bytes} bytes`, this.field);
  }

  /** Records a file. @throws {DatasetError} for an empty and for a repeated path */
  addFile(path: string): void {
    if (path === "") throw new DatasetError("contains a file without a name", this.field);
    if (this.#paths.has(path)) throw new DatasetError(`contains ${quoted(path)} twice`, this.field);
    this.#paths.add(path);
  }
}
