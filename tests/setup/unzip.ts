/**
 * Reads zip files in tests.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { fromBufferPromise } from "yauzl";
import type { Bytes } from "../../data/bytes.ts";

/** Returns the files of a zip by their names, in its order. */
export async function unzip(zip: Bytes): Promise<Record<string, Bytes>> {
  const files: Record<string, Bytes> = {};
  const archive = await fromBufferPromise(Buffer.from(zip));
  for await (const entry of archive.eachEntry()) {
    const stream = await archive.openReadStreamPromise(entry) as unknown as Readable;
    files[entry.fileName] = new Uint8Array(await buffer(stream));
  }
  return files;
}
