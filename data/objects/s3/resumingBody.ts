/**
 * The body of an S3 response that continues on a new connection after a failure.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";
import { S3Error, type S3Response } from "./request.ts";

/** Bytes of an object that are still to be read. */
export interface RemainingRange {
  /** First byte that has not been read. */
  readonly start: number;
  /** Last byte, inclusive. */
  readonly end: number;
}

/** Limits of a read. */
export interface ReadLimits {
  /** Number of connections that may be used. */
  readonly maxAttempts: number;
  /** Longest wait for a chunk, in milliseconds. */
  readonly idleTimeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Streams the bytes from `start` to `end` of an object, both inclusive. `resume` requests the remaining bytes after the
 * connection breaks or delivers nothing in time.
 *
 * @param resume sends a request for the remaining bytes of the same version of the object
 */
export function readResumingBody(
  first: S3Response,
  { start, end }: RemainingRange,
  resume: (remaining: RemainingRange) => Promise<S3Response>,
  { maxAttempts, idleTimeoutMs, signal }: ReadLimits,
): ReadableStream<Bytes> {
  let response = first;
  let reader = readerOf(first);
  let next = start;
  let attempt = 1;

  const read = async (): Promise<Bytes> => {
    const timer = setTimeout(
      () => response.abort(new DOMException(`No data within ${idleTimeoutMs} ms`, "TimeoutError")),
      idleTimeoutMs,
    );
    try {
      const { done, value } = await reader.read();
      if (done) throw new S3Error(`S3's response ended ${end - next + 1} bytes early`, 200, "");
      return value;
    } finally {
      clearTimeout(timer);
    }
  };

  return new ReadableStream<Bytes>({
    async pull(controller) {
      for (;;) {
        if (next > end) {
          await reader.cancel().catch(() => {});
          return controller.close();
        }
        try {
          const chunk = await read();
          if (chunk.length === 0) continue;
          const requested = chunk.subarray(0, end - next + 1);
          next += requested.length;
          return controller.enqueue(requested);
        } catch (error) {
          await reader.cancel().catch(() => {});
          signal?.throwIfAborted();
          if (++attempt > maxAttempts) throw error;
          response = await resume({ start: next, end });
          reader = readerOf(response);
        }
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

function readerOf({ response }: S3Response): ReadableStreamDefaultReader<Bytes> {
  return (response.body ?? new Blob([]).stream()).getReader() as ReadableStreamDefaultReader<Bytes>;
}
