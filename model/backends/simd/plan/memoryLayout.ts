/**
 * The layout of the memory that the workers of a planned training share.
 *
 * @module
 */
import { type Shape, sizeOf } from "../../../shape.ts";
import type { ParameterSpec } from "../../../weights.ts";
import type { AddressBits } from "../instance.ts";
import { aligned, bytesOf, OVERREAD, START } from "./allocation.ts";

/**
 * Maximum size of a memory in bytes. With 32-bit addresses it is one page less than 4 GiB, so that the end of every
 * buffer is below 2^32. With 64-bit addresses it is V8's limit.
 */
export const MAX_BYTES: Readonly<Record<AddressBits, number>> = { 32: 65535 * 65536, 64: 2 ** 34 };

/** The sizes from which the layout is computed, in addition to the parameters. */
export interface MemoryRequirements {
  readonly threads: number;
  /** Number of chunks of the largest batch. */
  readonly chunks: number;
  /** Bytes of the feeds of one chunk. */
  readonly feedBytes: number;
  /** Bytes per worker. */
  readonly resultBytes: number;
  /** Bytes per worker. */
  readonly scratchBytes: number;
  readonly constantBytes: number;
}

/** Addresses in the shared memory. */
export interface MemoryLayout {
  /** The trainable parameters. */
  readonly params: number;
  /** The first moments. */
  readonly expAvg: number;
  /** The second moments. */
  readonly expAvgSq: number;
  /** Number of floats of the parameters with their padding; the same for the moments and the gradients. */
  readonly size: number;
  /** Offset of each trainable parameter in bytes; the same for its moments and its gradient. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly frozen: ReadonlyMap<string, number>;
  readonly constants: number;
  /** A double buffer: one is filled while the workers read the other. */
  readonly feeds: readonly [number, number];
  /** The buffers of the first worker. */
  readonly worker: {
    readonly grads: number;
    readonly results: number;
    readonly scratch: number;
    readonly feeds: number;
  };
  /** Distance between the buffers of two workers. */
  readonly workerStride: number;
  /** Size of the memory. */
  readonly bytes: number;
}

/** Lays out the shared memory. @param start first address in use */
export function planMemory(
  trainable: readonly ParameterSpec[],
  frozenShapes: ReadonlyMap<string, { readonly shape: Shape }>,
  requirements: MemoryRequirements,
  start: number = START,
): MemoryLayout {
  let end = start;
  const reserve = (bytes: number) => {
    const address = end;
    end += aligned(bytes);
    return address;
  };
  const offsets = new Map<string, number>();
  let paramBytes = 0;
  for (const { name, shape } of trainable) {
    offsets.set(name, paramBytes);
    paramBytes += bytesOf(sizeOf(shape));
  }
  const { threads, chunks, feedBytes, resultBytes, scratchBytes, constantBytes } = requirements;
  const params = reserve(paramBytes), expAvg = reserve(paramBytes), expAvgSq = reserve(paramBytes);
  const frozen = new Map([...frozenShapes].map(([name, { shape }]) => [name, reserve(4 * sizeOf(shape))]));
  const constants = reserve(constantBytes);
  const feeds = [reserve(chunks * feedBytes), reserve(chunks * feedBytes)] as const;
  const firstWorker = end;
  const worker = {
    grads: reserve(paramBytes),
    results: reserve(resultBytes),
    scratch: reserve(scratchBytes),
    feeds: reserve(feedBytes),
  };
  const workerStride = end - firstWorker, bytes = firstWorker + threads * workerStride + OVERREAD;
  const buffers = { params, expAvg, expAvgSq, frozen, constants, feeds, worker };
  return { ...buffers, offsets, size: paramBytes / 4, workerStride, bytes };
}
