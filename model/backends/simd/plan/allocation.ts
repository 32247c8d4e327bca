/**
 * Memory of the intermediate results of a step. Results with disjoint lifetimes share memory.
 *
 * @module
 */
import { type Graph, outputsOf, readersOf, type Value } from "./graph.ts";

/** First address in use; a null pointer means an absent buffer. */
export const START = 1024;

/** Alignment of every buffer in bytes: a cache line. */
const ALIGNMENT = 64;

/** Bytes that a memory has after its last buffer, because products read beyond the last row of a matrix. */
export const OVERREAD = 64;

/** Returns a size in bytes, rounded up to the alignment. */
export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Returns the aligned size in bytes of `length` floats. */
export const bytesOf = (length: number): number => aligned(4 * length);

/** Offsets of the results in their shared memory. */
export interface Allocation {
  readonly offsets: ReadonlyMap<Value, number>;
  /** Size of the shared memory. */
  readonly bytes: number;
}

/** Returns the results of a graph in the order of the operations. */
const resultsOf = ({ nodes }: Graph) => nodes.flatMap(({ outputs }) => outputs.map(({ value }) => value));

/**
 * Assigns the results of a chunk the offsets that they have in a larger chunk of the same model. A separate assignment can
 * need more memory than the larger chunk's, because sizes that are rounded up to cache lines leave other gaps.
 *
 * @throws {RangeError} when the larger graph has other operations
 */
export function allocateWithin(graph: Graph, largest: Graph, allocation: Allocation): Allocation {
  const results = resultsOf(graph), larger = resultsOf(largest);
  const fits = graph.nodes.length === largest.nodes.length &&
    graph.nodes.every(({ spec }, i) => spec === largest.nodes[i].spec) &&
    results.every(({ size }, i) => size <= larger[i].size);
  if (!fits) throw new RangeError("A chunk has other operations than a larger one");
  const offsets = new Map<Value, number>();
  results.forEach((value, i) => {
    const offset = allocation.offsets.get(larger[i]);
    if (offset !== undefined) offsets.set(value, offset);
  });
  return { offsets, bytes: allocation.bytes };
}

/** A range of memory in use. */
interface Block {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Assigns each result the lowest offset that is free from its computation to its last use (first fit).
 *
 * @param external results that are stored elsewhere
 */
export function allocateResults(graph: Graph, external: ReadonlySet<Value>): Allocation {
  const readers = readersOf(graph.nodes), graphOutputs = outputsOf(graph);
  const lastUse = (value: Value) => graphOutputs.has(value) ? Infinity : readers.get(value)?.at(-1) ?? -1;
  const offsets = new Map<Value, number>(), live = new Map<Value, Block>();
  // Sorted by offset.
  let blocks: Block[] = [], totalBytes = 0;
  const allocate = (value: Value) => {
    const bytes = bytesOf(value.size);
    let offset = 0, i = 0;
    while (i < blocks.length && blocks[i].offset - offset < bytes) {
      offset = blocks[i].offset + blocks[i++].bytes;
    }
    const block = { offset, bytes };
    blocks.splice(i, 0, block);
    totalBytes = Math.max(totalBytes, offset + bytes);
    return block;
  };
  graph.nodes.forEach(({ spec, inputs, outputs }, i) => {
    const input = inputs[0]?.value;
    for (const [o, { value }] of outputs.entries()) {
      if (external.has(value)) continue;
      const inPlace = o === 0 && spec.inPlace && input && lastUse(input) === i && input.size === value.size;
      const reused = inPlace ? live.get(input) : undefined;
      if (reused) live.delete(input!);
      const block = reused ?? allocate(value);
      live.set(value, block);
      offsets.set(value, block.offset);
    }
    for (const [value, block] of [...live]) {
      if (lastUse(value) > i) continue;
      live.delete(value);
      blocks = blocks.filter((other) => other !== block);
    }
  });
  return { offsets, bytes: totalBytes };
}
