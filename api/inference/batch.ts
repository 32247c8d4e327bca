/**
 * Joins waiting requests into a batch, and splits its result.
 *
 * @module
 */
import { InferenceError } from "./inference.ts";
import type { Batch, BatchResult } from "./messages.ts";
import type { QueuedRequest } from "./requestQueue.ts";

/** Returns the message for requests of one group. */
export function batchOf(requests: readonly QueuedRequest[]): Batch {
  const { operation, checkpoint, maskRatio, withAttention, pool } = requests[0];
  const pixels = new Uint8Array(requests.reduce((sum, request) => sum + request.pixels.length, 0));
  let end = 0;
  for (const request of requests) {
    pixels.set(request.pixels, end);
    end += request.pixels.length;
  }
  return {
    type: "batch",
    operation,
    checkpoint,
    maskRatio,
    withPatches: requests.some(({ withPatches }) => withPatches),
    withAttention,
    pool,
    entries: requests.map(({ count, seed, masking, noise }) => ({ count, seed, masking, noise })),
    pixels,
  };
}

/** Resolves each request with its part of the result, or rejects it. */
export function settle(requests: readonly QueuedRequest[], { arrays, notFinite }: BatchResult): void {
  const images = requests.reduce((sum, { count }) => sum + count, 0);
  let end = 0;
  for (const [index, { count, resolve, reject }] of requests.entries()) {
    const start = end;
    end += count;
    if (notFinite[index] !== undefined) {
      reject(new InferenceError("not_finite", notFinite[index]));
      continue;
    }
    resolve(Object.fromEntries(
      Object.entries(arrays).map(([name, values]) => {
        const perImage = values.length / images;
        return [name, values.subarray(start * perImage, end * perImage)];
      }),
    ));
  }
}
