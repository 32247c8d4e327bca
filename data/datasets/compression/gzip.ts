/**
 * Reads files that may be gzipped.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import type { Bytes } from "../../bytes.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";
import { DatasetError } from "../dataset.ts";
import { readHead } from "../../readHead.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { ExpansionLimit } from "./expansionLimit.ts";

/** Whether a file begins like a gzip file (RFC 1952, section 2.3.1). */
export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

const ZEROS = new Uint8Array(65_536);

/** Whether every byte is 0. Blocks are compared natively, because a loop over all bytes would block other requests. */
export function isAllZeros(bytes: Uint8Array): boolean {
  for (let offset = 0; offset < bytes.length; offset += ZEROS.length) {
    const block = bytes.subarray(offset, offset + ZEROS.length);
    if (Buffer.compare(block, ZEROS.subarray(0, block.length)) !== 0) return false;
  }
  return true;
}

/**
 * Checks the bytes after the gzip data. Zeros are padding, as in gzip(1), Python and Node.
 *
 * @throws {DatasetError} for any other byte
 */
async function checkPadding(file: UploadedFile, start: number, signal?: AbortSignal): Promise<void> {
  if (start >= file.size) return;
  for await (const chunk of createReadStream(file.path, { start })) {
    signal?.throwIfAborted();
    if (isAllZeros(chunk as Uint8Array)) continue;
    throw new DatasetError(
      `has ${file.size - start} bytes after the end of its gzip data, and not all of them are zeros`,
      file.field,
    );
  }
}

/** Size of an unpacked chunk in bytes. */
const CHUNK_BYTES = 65_536;

/**
 * Yields the content of a file, which is unpacked if it is gzipped.
 *
 * @throws {DatasetError} with the field, for damaged gzip data, for data that unpacks to more than the limit, and for
 * bytes other than zeros after its end
 */
export async function* readContent(file: UploadedFile, signal?: AbortSignal): AsyncGenerator<Bytes> {
  const gunzip = isGzip(await readHead(file.path, 2)) ? createGunzip({ chunkSize: CHUNK_BYTES }) : null;
  const expansion = gunzip && new ExpansionLimit(file.size, file.field);
  // The stream is created after the first await, because an error event without a listener would end the process.
  const raw = createReadStream(file.path);
  if (gunzip) raw.on("error", (error) => gunzip.destroy(error)).pipe(gunzip);
  try {
    for await (const chunk of gunzip ?? raw) {
      signal?.throwIfAborted();
      expansion?.add((chunk as Bytes).length);
      await yieldToEventLoop();
      yield chunk as Bytes;
    }
    if (gunzip) await checkPadding(file, gunzip.bytesWritten, signal);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!code.startsWith("Z_") && !/zlib|unexpected end of file/i.test(String(error))) throw error;
    throw new DatasetError("is damaged: its gzip data cannot be unpacked", file.field, { cause: error });
  } finally {
    raw.destroy();
    gunzip?.destroy();
  }
}
