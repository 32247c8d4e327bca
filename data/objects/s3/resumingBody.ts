/**
 * An S3 answer's bytes, read on where the connection breaks.
 *
 * @module
 */
import { type Bytes } from "../parts.ts";
import { type S3Answer, S3Error } from "./client.ts";

/** What is left to read of an object. */
export interface Remaining {
  /** First byte of the object that has not been read. */
  readonly start: number;
  /** Last byte wanted. */
  readonly end: number;
}

/**
 * The body of an answer as a stream of the bytes from `start` to `end` of the object, both inclusive. When the
 * connection breaks or stands still, `again` is asked for what remains.
 *
 * @param again sends the request for the rest of the very same bytes
 * @param attempts how many connections may be used
 * @param chunkWithin longest wait for a chunk, in milliseconds
 */
export function readS3Body(
  first: S3Answer,
  { start, end }: Remaining,
  again: (remaining: Remaining) => Promise<S3Answer>,
  { attempts, chunkWithin, signal }: { attempts: number; chunkWithin: number; signal?: AbortSignal },
): ReadableStream<Bytes> {
  let answer = first;
  let reader = readerOf(first);
  let at = start;
  let attempt = 1;

  const read = async (): Promise<Bytes> => {
    const timer = setTimeout(
      () => answer.abort(new DOMException(`No data within ${chunkWithin} ms`, "TimeoutError")),
      chunkWithin,
    );
    try {
      const { done, value } = await reader.read();
      if (done) throw new S3Error(`S3's answer ended ${end - at + 1} bytes early`, 200, "");
      return value;
    } finally {
      clearTimeout(timer);
    }
  };

  return new ReadableStream<Bytes>({
    async pull(controller) {
      for (;;) {
        if (at > end) {
          await reader.cancel().catch(() => {});
          return controller.close();
        }
        try {
          const chunk = await read();
          if (chunk.length === 0) continue;
          const wanted = chunk.subarray(0, end - at + 1);
          at += wanted.length;
          return controller.enqueue(wanted);
        } catch (error) {
          await reader.cancel().catch(() => {});
          signal?.throwIfAborted();
          if (++attempt > attempts) throw error;
          answer = await again({ start: at, end });
          reader = readerOf(answer);
        }
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

function readerOf({ response }: S3Answer): ReadableStreamDefaultReader<Bytes> {
  return (response.body ?? new Blob([]).stream()).getReader() as ReadableStreamDefaultReader<Bytes>;
}
