/**
 * Entries of archives, their limits and their counts, shared by the readers of all formats.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { isImage, looksLikeImage } from "../../images/fileType.ts";
import { IMAGE_LIMITS } from "../../images/imageFile.ts";
import { DatasetError } from "../dataset.ts";
import { quoted } from "./paths.ts";

/** Explicit limits of an archive. */
export const ARCHIVE_LIMITS = {
  /** Entries, folders included. */
  entries: 500_000,
  /** Bytes of all entries when unpacked, including those that are passed over. */
  bytes: 16 * 2 ** 30,
} as const;

/** Why a file of an archive is passed over. */
export type SkipReason = "hidden" | "not_an_image";

/** A file of an archive: an image's bytes, or the reason why the file is passed over. */
export type ArchiveEntry =
  | { readonly path: string; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly path: string; readonly passedOver: SkipReason };

/** Number of bytes at the beginning of a file that determine its kind. */
export const SIGNATURE_BYTES = 32;

/** @returns the error for a file that is too large */
export function tooLarge(path: string, field: string): DatasetError {
  return new DatasetError(
    `holds ${quoted(path)}, which has more than ${IMAGE_LIMITS.bytes} bytes`,
    field,
  );
}

/**
 * Whether a file is read as an image. Its first bytes decide. A file with the name of an image, or an image of an
 * unsupported kind, is also read, so that the decoder refuses it and names it.
 */
export function isImageEntry(path: string, head: Uint8Array): boolean {
  return isImage(head) || looksLikeImage(path, head);
}

/** How a file of an archive is read. */
export interface Reading {
  readonly path: string;
  readonly field: string;
  /** Size in bytes that the archive declares. */
  readonly size: number;
  /** Whether a file that is not an image must be read to its end, as in a tar. */
  readonly toItsEnd: boolean;
}

/**
 * Reads a file.
 *
 * @returns the bytes of an image; null for another file, whose bytes are dropped
 * @throws {DatasetError} for an image that is too large
 */
export async function readImageBytes(
  stream: AsyncIterable<Uint8Array<ArrayBuffer>> | Readable,
  { path, field, size: declared, toItsEnd }: Reading,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  let taken: boolean | undefined;
  for await (const part of stream as AsyncIterable<Uint8Array<ArrayBuffer>>) {
    size += part.length;
    if (taken === false) continue;
    parts.push(part);
    if (taken === undefined && size >= Math.min(SIGNATURE_BYTES, declared)) {
      taken = isImageEntry(path, joined(parts, size));
      if (taken && declared > IMAGE_LIMITS.bytes) throw tooLarge(path, field);
      if (!taken && !toItsEnd) break;
      if (!taken) parts.length = 0;
    }
  }
  taken ??= isImageEntry(path, new Uint8Array(0));
  return taken ? joined(parts, size) : null;
}

/** Concatenates pieces. @param size total number of bytes */
export function joined(parts: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Counts entries and bytes and records names, so that no archive unpacks without end and no name occurs twice. */
export class ArchiveChecker {
  #entries = 0;
  #bytes = 0;
  readonly #names = new Set<string>();
  constructor(readonly field: string) {}

  /** Counts an entry. @throws {DatasetError} */
  entry(): void {
    if (++this.#entries > ARCHIVE_LIMITS.entries) throw tooManyEntries(this.field);
  }

  /** Counts unpacked bytes. @throws {DatasetError} */
  bytes(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= ARCHIVE_LIMITS.bytes) return;
    throw new DatasetError(`unpacks to more than ${ARCHIVE_LIMITS.bytes} bytes`, this.field);
  }

  /** Records a file. @throws {DatasetError} for a file without a name and for a repeated name */
  file(path: string): void {
    if (path === "") throw new DatasetError("holds a file without a name", this.field);
    if (this.#names.has(path)) throw new DatasetError(`holds ${quoted(path)} twice`, this.field);
    this.#names.add(path);
  }
}

/** @returns the error for an archive with too many entries */
export function tooManyEntries(field: string): DatasetError {
  return new DatasetError(`has more than ${ARCHIVE_LIMITS.entries} entries`, field);
}
