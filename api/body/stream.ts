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
  const deadline = performance.now() + limits.totalMs;
  let received = 0;
  let ended = false;
  try {
    while (true) {
      const chunk = await readChunk(reader, Math.min(limits.idleMs, deadline - performance.now()));
      if (chunk.done) break;
      received += chunk.value.byteLength;
      if (received > limits.bytes) throw tooLarge(limits.bytes);
      yield chunk.value;
    }
    ended = true;
  } finally {
    // Cancelling an aborted body fails again with the error that is already thrown.
    if (!ended) reader.cancel().catch(() => {});
    else reader.releaseLock();
  }
}

async function readChunk(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  timeoutMs: number,
): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new ProblemError(408, "The body did not arrive in time", { headers: { connection: "close" } }),
        ),
      Math.max(0, timeoutMs),
    );
  });
  try {
    return await Promise.race([reader.read(), timeout]);
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError(400, "The body ended before it was complete", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
