/**
 * Compression formats that uploads must not have.
 *
 * @module
 */

/** Unsupported compression formats, with the first bytes of their files (at most four). */
export const UNSUPPORTED_COMPRESSION: readonly (readonly [kind: string, start: readonly number[]])[] = [
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58]],
  ["Zstandard", [0x28, 0xb5, 0x2f, 0xfd]],
];
