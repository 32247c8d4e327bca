/**
 * Fixed sine and cosine positions (Vaswani et al. 2017, section 3.5).
 *
 * @module
 */

/** Maximum number of cached tables. A model needs two. */
const MAX_TABLES = 16;
const tables = new Map<string, Float32Array<ArrayBuffer>>();

/**
 * Returns the table of positions: column 2i is `sin(p · 10000^(-2i/dim))`, column 2i + 1 the cosine. Frequencies and
 * angles are rounded to float32 like PyTorch's, so that both tables agree.
 *
 * @param patches number of positions N
 * @param dim width, even
 * @returns `[N, dim]`; the array is cached, so do not write to it
 *
 * @example
 * ```ts
 * import { sinusoidalPositions } from "./positions.ts";
 *
 * const table = sinusoidalPositions(49, 64);
 * console.log(table.length, table[0], table[1]); // 3136 0 1
 * ```
 */
export function sinusoidalPositions(patches: number, dim: number): Float32Array<ArrayBuffer> {
  const key = `${patches}x${dim}`;
  let table = tables.get(key);
  if (!table) {
    if (tables.size === MAX_TABLES) tables.clear();
    tables.set(key, table = computeTable(patches, dim));
  }
  return table;
}

function computeTable(patches: number, dim: number): Float32Array<ArrayBuffer> {
  const table = new Float32Array(patches * dim);
  const factor = Math.fround(-Math.log(10000) / dim);
  for (let i = 0; i < dim; i += 2) {
    const frequency = Math.fround(Math.exp(Math.fround(i * factor)));
    for (let p = 0; p < patches; p++) {
      const angle = Math.fround(p * frequency);
      table[p * dim + i] = Math.sin(angle);
      table[p * dim + i + 1] = Math.cos(angle);
    }
  }
  return table;
}
