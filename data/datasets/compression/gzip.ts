/**
 * Files that may be gzipped.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { DatasetError } from "../dataset.ts";
import { readHead, type UploadedFile } from "../uploadedFile.ts";
import { ExpansionLimit } from "./expansionLimit.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";

/** True for bytes that begin as gzip does (RFC 1952, section 2.3.1). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

const ZEROS = new Uint8Array(65_536);

/** True when every byte is 0. Whole pieces are compared, because a loop over the bytes would delay other requests. */
export function isAllZeros(bytes: Uint8Array): boolean {
  for (let from = 0; from < bytes.length; from += ZEROS.length) {
    const piece = bytes.subarray(from, from + ZEROS.length);
    if (Buffer.compare(piece, ZEROS.subarray(0, piece.length)) !== 0) return false;
  }
  return true;
}

/**
 * Reads what follows the gzip data. Zeros are padding, as for gzip(1), Python and Node.
 *
 * @throws {DatasetError} for any other byte
 */
async function checkPadding(file: UploadedFile, start: number, signal?: AbortSignal): Promise<void> {
  if (start >= file.size) return;
  for await (const piece of createReadStream(file.path, { start })) {
    signal?.throwIfAborted();
    if (isAllZeros(piece as Uint8Array)) continue;
    throw new DatasetError(
      `has ${file.size - start} bytes after the end of its gzip data, and not all of them are zeros`,
      file.field,
    );
  }
}

/** Size of an unpacked piece in bytes. */
const PIECE = 65_536;

/**
 * The content of a file, unpacked if it is gzipped. Other requests are served between the pieces.
 *
 * @throws {DatasetError} naming the field, for a damaged gzip file, for one that unpacks to more than the limit, and
 * for bytes other than zeros after its end
 */
export async function* content(
  file: UploadedFile,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const gunzip = isGzip(await readHead(file.path, 2)) ? createGunzip({ chunkSize: PIECE }) : null;
  const expansion = gunzip && new ExpansionLimit(file.size, file.field);
  // Not before anything is awaited: a fault of a stream that nobody listens to yet would end the process.
  const raw = createReadStream(file.path);
  if (gunzip) raw.on("error", (error) => gunzip.destroy(error)).pipe(gunzip);
  try {
    for await (const piece of gunzip ?? raw) {
      signal?.throwIfAborted();
      expansion?.add((piece as Uint8Array).length);
      await yieldToEventLoop();
      yield piece as Uint8Array<ArrayBuffer>;
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
