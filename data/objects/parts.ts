/**
 * Splits the body of an object into parts of equal size.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";

/** @throws {TypeError} unless a chunk of a stream is a `Uint8Array` */
export function checkChunk(chunk: unknown): asserts chunk is Bytes {
  if (chunk instanceof Uint8Array) return;
  throw new TypeError(`A stream to store must yield Uint8Array: it yielded ${typeof chunk}`);
}

/**
 * Yields the bytes of a body in parts of `size` bytes. Only the last part may be shorter, and an empty body has no part.
 * Parts of an array are views of it; parts of a stream are new arrays. An early return and the signal cancel the stream.
 *
 * @throws {TypeError} if the stream yields anything but a `Uint8Array`
 */
export async function* splitIntoParts(
  body: Bytes | ReadableStream<Bytes>,
  size: number,
  signal?: AbortSignal,
): AsyncGenerator<Bytes> {
  if (body instanceof Uint8Array) {
    for (let offset = 0; offset < body.length; offset += size) {
      signal?.throwIfAborted();
      yield body.subarray(offset, offset + size);
    }
    return;
  }
  const reader = body.getReader();
  // The cancellation is not awaited, because it may take long. Its errors no longer matter.
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    let part = new Uint8Array(size);
    let filled = 0;
    for (;;) {
      const { done, value: chunk } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      checkChunk(chunk);
      for (let offset = 0; offset < chunk.length;) {
        const length = Math.min(size - filled, chunk.length - offset);
        part.set(chunk.subarray(offset, offset + length), filled);
        filled += length;
        offset += length;
        if (filled < size) continue;
        yield part;
        part = new Uint8Array(size);
        filled = 0;
      }
    }
    if (filled > 0) yield part.subarray(0, filled);
  } finally {
    signal?.removeEventListener("abort", cancel);
    cancel();
  }
}
