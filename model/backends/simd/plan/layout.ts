/**
 * Where the results of a step lie: values that are never alive together share memory.
 *
 * @module
 */
import { type Graph, readers, type Value } from "./graph.ts";

/** Bytes that every value starts at a multiple of: a cache line. */
export const ALIGNMENT = 64;

/** Bytes of so many values, filled up to whole cache lines. */
export const bytesOf = (values: number): number => Math.ceil(4 * values / ALIGNMENT) * ALIGNMENT;

/** Addresses of results within the memory that they share. */
export interface Layout {
  readonly offsets: ReadonlyMap<Value, number>;
  /** Bytes of that memory. */
  readonly bytes: number;
}

/** A piece of memory in use. */
interface Block {
  readonly at: number;
  readonly bytes: number;
}

/**
 * Gives each result the lowest place that is free from its making to its last reading.
 *
 * @param elsewhere results that have a place of their own
 */
export function layOut(graph: Graph, elsewhere: ReadonlySet<Value>): Layout {
  const uses = readers(graph.nodes);
  const kept = new Set([graph.loss, ...graph.gradients.values()]);
  const lastUse = (value: Value) => kept.has(value) ? Infinity : uses.get(value)?.at(-1) ?? -1;
  const offsets = new Map<Value, number>();
  let blocks: Block[] = [], bytes = 0;
  const held = new Map<Value, Block>();
  const take = (value: Value) => {
    const size = bytesOf(value.size);
    let at = 0, i = 0;
    while (i < blocks.length && blocks[i].at - at < size) at = blocks[i].at + blocks[i++].bytes;
    const block = { at, bytes: size };
    blocks.splice(i, 0, block);
    bytes = Math.max(bytes, at + size);
    return block;
  };
  graph.nodes.forEach(({ spec, inputs, outputs }, i) => {
    const first = inputs[0]?.value;
    for (const [o, { value }] of outputs.entries()) {
      if (elsewhere.has(value)) continue;
      const inherited = o === 0 && spec.inPlace && first && lastUse(first) === i && first.size === value.size
        ? held.get(first)
        : undefined;
      if (inherited) held.delete(first!);
      const block = inherited ?? take(value);
      held.set(value, block);
      offsets.set(value, block.at);
    }
    for (const [value, block] of [...held]) {
      if (lastUse(value) > i) continue;
      held.delete(value);
      blocks = blocks.filter((other) => other !== block);
    }
  });
  return { offsets, bytes };
}
