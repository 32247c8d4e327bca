/**
 * Reads a file as the body of an object.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";

/** Bytes of a chunk of the stream. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Streams `length` bytes of an open file from its current position. The file is closed at the end, on an error or an
 * abort, and when the stream is cancelled.
 *
 * @param key for messages
 */
export function readFileBody(
  file: Deno.FsFile,
  key: string,
  length: number,
  signal?: AbortSignal,
): ReadableStream<Bytes> {
  let remaining = length;
  let reading = false;
  let open = true;
  let onAbort: () => void;
  const close = () => {
    if (!open) return;
    open = false;
    signal?.removeEventListener("abort", onAbort);
    // A file must not be closed during a read. In that case `pull` closes it after the read.
    if (!reading) file.close();
  };
  return new ReadableStream<Bytes>({
    start(controller) {
      onAbort = () => {
        controller.error(signal!.reason);
        close();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      if (remaining === 0) {
        close();
        controller.close();
      }
    },
    async pull(controller) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, remaining));
      let count: number | null = null;
      let failure: unknown;
      reading = true;
      try {
        count = await file.read(chunk);
        if (count === null) {
          failure = new Error(`'${key}' was truncated during the read: ${remaining} bytes are missing`);
        }
      } catch (error) {
        failure = error;
      }
      reading = false;
      if (!open) return file.close();
      if (failure !== undefined || count === null) {
        close();
        return controller.error(failure);
      }
      remaining -= count;
      controller.enqueue(chunk.subarray(0, count));
      if (remaining === 0) {
        close();
        controller.close();
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
