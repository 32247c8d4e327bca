/**
 * A request's body, piece by piece, with its size and its time limited while it arrives.
 *
 * @module
 */
import { ProblemError } from "../http/problem.ts";

/** How much may come, and how slowly. */
export interface BodyLimits {
  readonly bytes: number;
  /** Longest pause between two pieces, in milliseconds. */
  readonly idleMs: number;
  /** Time for all of it, in milliseconds. */
  readonly totalMs: number;
}

function tooLarge(limit: number): ProblemError {
  return new ProblemError(413, `The body must have at most ${limit} bytes`);
}

/** @throws {ProblemError} 415 for a body that would have to be decompressed, 413 when it announces too much */
export function checkBodyHeaders(request: Request, limit: number): void {
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.trim().toLowerCase() !== "identity") {
    throw new ProblemError(
      415,
      `Content-Encoding '${encoding.slice(0, 40)}' is not taken: send the body as it is`,
      { headers: { "accept-encoding": "identity" } },
    );
  }
  const length = request.headers.get("content-length");
  if (length !== null && Number(length) > limit) throw tooLarge(limit);
}

/**
 * The pieces of the body as they arrive.
 *
 * @throws {ProblemError} 413 past the size limit, also for a chunked body; 408 past a time limit; 400 when the client
 * broke off
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
      const piece = await nextPiece(reader, Math.min(limits.idleMs, deadline - performance.now()));
      if (piece.done) break;
      received += piece.value.byteLength;
      if (received > limits.bytes) throw tooLarge(limits.bytes);
      yield piece.value;
    }
    ended = true;
  } finally {
    // An aborted body rejects its own cancellation; the error that matters is thrown already.
    if (!ended) reader.cancel().catch(() => {});
    else reader.releaseLock();
  }
}

async function nextPiece(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  withinMs: number,
): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new ProblemError(408, "The body did not arrive in time", { headers: { connection: "close" } }),
        ),
      Math.max(0, withinMs),
    );
  });
  try {
    return await Promise.race([reader.read(), late]);
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError(400, "The body broke off before its end", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
