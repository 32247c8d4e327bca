/**
 * Fills the inputs of a step.
 *
 * @module
 */
import { type Allocate, newBuffer } from "../../../mae.ts";
import { drawFactors } from "../../../ops/dropout.ts";
import type { Objective } from "../../../training/objective.ts";
import type { Program } from "./compile.ts";
import type { Graph } from "./graph.ts";
import { CHUNK_WEIGHT } from "./record.ts";
import { DROPOUT } from "./recorder.ts";

/**
 * Writes the feeds of a chunk to the shared memory.
 *
 * @param address of the chunk's feeds
 * @param makeObjective computes the feeds; it fills the buffers that `allocate` returns in place
 */
export function writeFeeds(
  buffer: ArrayBufferLike,
  address: number,
  graph: Graph,
  { feedOffsets }: Pick<Program, "feedOffsets">,
  makeObjective: (allocate: Allocate) => Objective,
): void {
  const memory = new Uint8Array(buffer);
  const { feeds, drop } = makeObjective((name, length) =>
    graph.feeds.has(name)
      ? new Float32Array(buffer as ArrayBuffer, address + feedOffsets.get(name)!, length)
      : newBuffer(name, length)
  );
  for (const [name, { size }] of graph.feeds) {
    // The workers write the weight.
    if (name === CHUNK_WEIGHT) continue;
    const data = name.startsWith(DROPOUT)
      ? drawFactors(drop!, name.slice(DROPOUT.length), size)
      : feeds[name];
    if (data.buffer === buffer) continue;
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    memory.set(bytes, address + feedOffsets.get(name)!);
  }
}
