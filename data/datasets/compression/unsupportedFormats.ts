/**
 * Detects compression formats that are not supported in uploads.
 *
 * @module
 */

/** Unsupported compression formats with the signatures of their files. */
const FORMATS: readonly (readonly [name: string, signature: readonly number[]])[] = [
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58]],
  ["Zstandard", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** Returns the name of a file's unsupported compression format. @param head first bytes of the file, at least four */
export function findUnsupportedCompression(head: Uint8Array): string | undefined {
  return FORMATS.find(([, signature]) => signature.every((byte, i) => head[i] === byte))?.[0];
}
