/**
 * Assigns the results of a step to buffers. Results with disjoint lifetimes share one.
 *
 * @module
 */
import type { PlannedDispatch, Source } from "./dispatches.ts";

/** Buffers, and the one of each result. */
export interface Slots {
  /** Size of each buffer in bytes. */
  readonly bytes: readonly number[];
  /** Index of the buffer of each result. */
  readonly slotOf: ReadonlyMap<Source, number>;
}

/** A result uses a free buffer of at most this multiple of its size. */
const MAX_WASTE = 2;

/**
 * Assigns each result the smallest free buffer that has room for it, or a new one.
 *
 * @param kept results that are read after the last dispatch
 * @param existing sizes of buffers to use first
 */
export function assignSlots(
  dispatches: readonly PlannedDispatch[],
  kept: ReadonlySet<Source>,
  existing: readonly number[] = [],
): Slots {
  const lastUse = new Map<Source, number>();
  dispatches.forEach(({ reads, writes }, i) => {
    for (const source of [...reads, ...writes]) lastUse.set(source, i);
  });
  const bytes = [...existing], free = new Set(bytes.keys()), slotOf = new Map<Source, number>();
  const take = (size: number): number => {
    const fits = [...free].filter((slot) =>
      bytes[slot] >= size && (slot < existing.length || bytes[slot] <= MAX_WASTE * size)
    );
    if (fits.length === 0) return bytes.push(size) - 1;
    const best = fits.reduce((a, b) => bytes[b] < bytes[a] ? b : a);
    free.delete(best);
    return best;
  };
  dispatches.forEach(({ reads, writes }, i) => {
    for (const source of writes) {
      if (source.from.kind === "result" && !slotOf.has(source)) slotOf.set(source, take(4 * source.size));
    }
    for (const source of new Set([...reads, ...writes])) {
      const slot = slotOf.get(source);
      if (slot !== undefined && lastUse.get(source) === i && !kept.has(source)) free.add(slot);
    }
  });
  return { bytes, slotOf };
}
