/**
 * A file as the body of an object.
 *
 * @module
 */
import { type Bytes } from "../parts.ts";

const CHUNK = 256 * 1024;

/**
 * Streams `length` bytes of an open file from where it stands, and closes it at the end, on an error, an abort or
 * when the stream is cancelled.
 *
 * @param key only named in errors
 */
export function readFileBody(
  file: Deno.FsFile,
  key: string,
  length: number,
  signal?: AbortSignal,
): ReadableStream<Bytes> {
  let left = length;
  let reading = false;
  let open = true;
  let onAbort: () => void;
  const close = () => {
    if (!open) return;
    open = false;
    signal?.removeEventListener("abort", onAbort);
    // A file must not be closed under a read: the read's own end closes it.
    if (!reading) file.close();
  };
  return new ReadableStream<Bytes>({
    start(controller) {
      onAbort = () => {
        controller.error(signal!.reason);
        close();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      if (left === 0) {
        close();
        controller.close();
      }
    },
    async pull(controller) {
      const chunk = new Uint8Array(Math.min(CHUNK, left));
      let count: number | null = null;
      let failure: unknown;
      reading = true;
      try {
        count = await file.read(chunk);
        if (count === null) {
          failure = new Error(`'${key}' was cut short while it was read: ${left} bytes are missing`);
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
      left -= count;
      controller.enqueue(chunk.subarray(0, count));
      if (left === 0) {
        close();
        controller.close();
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
