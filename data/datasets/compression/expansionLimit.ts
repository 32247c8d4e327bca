/**
 * Limits of the size of decompressed data.
 *
 * @module
 */
import { DatasetError } from "../dataset.ts";

/** Limits of the output of a decompressor. */
export const EXPANSION_LIMITS = {
  /** Bytes that any file may unpack to, whatever its size. */
  allowance: 64 * 2 ** 20,
  /** Additional bytes allowed for each compressed byte. Images, raw or encoded, stay below 30. */
  ratio: 100,
} as const;

/** Counts unpacked bytes and compares them with the size of the compressed file. */
export class ExpansionLimit {
  #bytes = 0;
  readonly #maxBytes: number;

  /** @param compressedBytes size of the file @param field form field of the file, for messages */
  constructor(readonly compressedBytes: number, readonly field: string) {
    this.#maxBytes = EXPANSION_LIMITS.allowance + EXPANSION_LIMITS.ratio * compressedBytes;
  }

  /** Counts bytes. @throws {DatasetError} if the total exceeds the limit for the file */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return;
    throw new DatasetError(
      `unpacks to more than ${EXPANSION_LIMITS.ratio} times its ${this.compressedBytes} bytes ` +
        `(${EXPANSION_LIMITS.allowance} bytes are always allowed)`,
      this.field,
    );
  }
}
