/**
 * Cuts streams and arrays into parts of equal size.
 *
 * @module
 */

/** Bytes as the rest of the house passes them: never over a shared buffer. */
export type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The bytes of a body in parts of `size` bytes, the last one shorter or of equal size. An empty body has no part.
 * Parts of an array are views of it; parts of a stream are new arrays. Ending early and the signal cancel the stream.
 *
 * @throws {TypeError} when the stream yields anything but a `Uint8Array`
 */
export async function* splitIntoParts(
  body: Bytes | ReadableStream<Bytes>,
  size: number,
  signal?: AbortSignal,
): AsyncGenerator<Bytes> {
  if (body instanceof Uint8Array) {
    for (let at = 0; at < body.length; at += size) {
      signal?.throwIfAborted();
      yield body.subarray(at, at + size);
    }
    return;
  }
  const reader = body.getReader();
  // Not awaited: a source may take its time to end, and what it says then is no longer of interest.
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    let part = new Uint8Array(size);
    let filled = 0;
    for (;;) {
      const { done, value: chunk } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      if (!(chunk instanceof Uint8Array)) {
        throw new TypeError(`A stream to store must yield Uint8Array: it yielded ${typeof chunk}`);
      }
      for (let at = 0; at < chunk.length;) {
        const taken = Math.min(size - filled, chunk.length - at);
        part.set(chunk.subarray(at, at + taken), filled);
        filled += taken;
        at += taken;
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
