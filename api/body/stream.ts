/**
 * Reads the body of a request in chunks, with limits for its size and its time.
 *
 * @module
 */
import { ProblemError } from "../http/problem.ts";

/** Limits of a body. */
export interface BodyLimits {
  /** Maximum size. */
  readonly bytes: number;
  /** Maximum time between two chunks, in milliseconds. */
  readonly idleMs: number;
  /** Maximum time for the whole body, in milliseconds. */
  readonly totalMs: number;
}

function tooLarge(limit: number): ProblemError {
  return new ProblemError(413, `The body must have at most ${limit} bytes`);
}

function late(): ProblemError {
  return new ProblemError(408, "The body did not arrive in time", { headers: { connection: "close" } });
}

/** Checks the headers. @throws {ProblemError} 415 for a compressed body, 413 for a Content-Length above the limit */
export function checkBodyHeaders(request: Request, limit: number): void {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.trim().toLowerCase() !== "identity") {
    throw new ProblemError(
      415,
      `Content-Encoding must be identity: current value is '${encoding.slice(0, 40)}'`,
      { headers: { "accept-encoding": "identity" } },
    );
  }
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > limit) throw tooLarge(limit);
}

/**
 * Yields the body in chunks.
 *
 * @throws {ProblemError} 413 beyond the size limit, also for a chunked body; 408 beyond a time limit; 400 for an
 * incomplete body
 */
export async function* readBody(
  request: Request,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  checkBodyHeaders(request, limits.bytes);
  if (request.body === null) return;
  const reader = request.body.getReader();
  const deadline = new Deadline(limits);
  let received = 0;
  let ended = false;
  try {
    while (true) {
      const chunk = await readChunk(reader, deadline);
      if (chunk.done) break;
      received += chunk.value.byteLength;
      if (received > limits.bytes) throw tooLarge(limits.bytes);
      yield chunk.value;
    }
    ended = true;
  } finally {
    deadline.clear();
    // Cancelling an aborted body fails again with the error that is already thrown. A body that was read to its end
    // stays locked, because releasing it takes longer than reading a small one.
    if (!ended) reader.cancel().catch(() => {});
  }
}

async function readChunk(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  deadline: Deadline,
): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
  try {
    return await deadline.limit(reader.read());
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError(400, "The body ended before it was complete", { cause: error });
  }
}

/** The time limits of a body. It uses one timer, because timers take longer than reading a small body. */
class Deadline {
  readonly #idleMs: number;
  readonly #end: number;
  #chunkEnd = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reject: (error: ProblemError) => void = () => {};

  constructor({ idleMs, totalMs }: BodyLimits) {
    this.#idleMs = idleMs;
    this.#end = performance.now() + totalMs;
  }

  /** Waits for a chunk. @throws {ProblemError} 408 when a limit is reached, or the total limit was before the call */
  limit<T>(chunk: Promise<T>): Promise<T> {
    const now = performance.now();
    this.#chunkEnd = Math.min(now + this.#idleMs, this.#end);
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      if (now >= this.#end) reject(late());
      else if (this.#timer === undefined) this.#start();
      chunk.then(resolve, reject);
    });
  }

  /** Ends the time limits. */
  clear(): void {
    clearTimeout(this.#timer);
  }

  #start(): void {
    this.#timer = setTimeout(() => {
      if (performance.now() < this.#chunkEnd) return this.#start();
      // The last chunk may have arrived and still be in use. Then this rejects nothing, and the next read starts a timer.
      this.#timer = undefined;
      this.#reject(late());
    }, Math.max(0, this.#chunkEnd - performance.now()));
  }
}
