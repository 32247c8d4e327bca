/**
 * Reads the beginning of a local file.
 *
 * @module
 */
import type { Bytes } from "./bytes.ts";

/** Reads the first `length` bytes of a file, or all bytes of a shorter file. */
export async function readHead(path: string, length: number): Promise<Bytes> {
  using file = await Deno.open(path);
  const buffer = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(buffer.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}
