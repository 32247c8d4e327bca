/**
 * How the shared memory of a planned training is divided.
 *
 * @module
 */
import type { HostWeights, ParameterSpec } from "../../../weights.ts";
import { sizeOf } from "../../../shape.ts";
import { ALIGNMENT, bytesOf } from "./layout.ts";

/** Most bytes that a memory has: 65,536 pages, less one so that no address is 2^32. */
export const MOST_BYTES: number = 65535 * 65536;

/** Sizes in bytes that a division depends on. */
export interface Needs {
  readonly threads: number;
  /** Chunks of the largest batch, and the feeds of one. */
  readonly chunks: number;
  readonly feedBytes: number;
  readonly resultBytes: number;
  readonly scratchBytes: number;
  readonly constantBytes: number;
}

/** Addresses of everything. */
export interface Division {
  /** Of the first parameter, of the moments, and how many values each of the three has. */
  readonly params: number;
  readonly expAvg: number;
  readonly expAvgSq: number;
  readonly size: number;
  /** A parameter's distance from the first, in bytes. */
  readonly offsets: ReadonlyMap<string, number>;
  readonly frozen: ReadonlyMap<string, number>;
  readonly constants: number;
  /** Two, of which one is filled while the other is read. */
  readonly feeds: readonly [number, number];
  /** Of the first worker's, and the distance to the next one's. */
  readonly worker: {
    readonly grads: number;
    readonly results: number;
    readonly scratch: number;
    readonly feeds: number;
  };
  readonly apart: number;
  /** End of it all. */
  readonly bytes: number;
}

/** Divides a memory. */
export function divide(
  trainable: readonly ParameterSpec[],
  frozenWeights: HostWeights,
  needs: Needs,
): Division {
  let next = 1024;
  const take = (bytes: number) => {
    const at = next;
    next += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const offsets = new Map<string, number>();
  let total = 0;
  for (const { name, shape } of trainable) {
    offsets.set(name, total);
    total += bytesOf(sizeOf(shape));
  }
  const params = take(total), expAvg = take(total), expAvgSq = take(total);
  const frozen = new Map([...frozenWeights].map(([name, { shape }]) => [name, take(4 * sizeOf(shape))]));
  const constants = take(needs.constantBytes);
  const feeds = [take(needs.chunks * needs.feedBytes), take(needs.chunks * needs.feedBytes)] as const;
  const first = next;
  const worker = {
    grads: take(total),
    results: take(needs.resultBytes),
    scratch: take(needs.scratchBytes),
    feeds: take(needs.feedBytes),
  };
  const apart = next - first;
  const bytes = first + needs.threads * apart;
  const size = total / 4;
  return {
    params,
    expAvg,
    expAvgSq,
    size,
    offsets,
    frozen,
    constants,
    feeds,
    worker,
    apart,
    bytes,
  };
}
