/**
 * Files that a client uploads, or that a download stores, while they become a data set.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";

/** A file of an upload. It is kept in a temporary file while the request is handled. */
export interface UploadedFile {
  /** The form field of the file. */
  readonly field: string;
  /** The client's name for the file. It is used in messages only, never as a path. */
  readonly filename: string;
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
}

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
