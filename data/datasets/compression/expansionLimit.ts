/**
 * Limits for the size of decompressed data.
 *
 * @module
 */
import { DatasetError } from "../dataset.ts";

/** Limits of the output of a decompressor. */
export const EXPANSION_LIMITS = {
  /** Bytes that any file may unpack to. */
  free: 64 * 2 ** 20,
  /** Further bytes allowed for each compressed byte. Images, raw or encoded, stay below 30. */
  ratio: 100,
} as const;

/** Counts unpacked bytes and compares them with the size of the compressed file. */
export class ExpansionLimit {
  #bytes = 0;
  readonly #most: number;

  /** @param compressed bytes of the file @param field the part of the upload, for the message */
  constructor(readonly compressed: number, readonly field: string) {
    this.#most = EXPANSION_LIMITS.free + EXPANSION_LIMITS.ratio * compressed;
  }

  /** Counts bytes. @throws {DatasetError} when the total exceeds the limit for the file */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#most) return;
    throw new DatasetError(
      `unpacks to more than ${EXPANSION_LIMITS.ratio} times its ${this.compressed} bytes ` +
        `(${EXPANSION_LIMITS.free} bytes are always allowed)`,
      this.field,
    );
  }
}
