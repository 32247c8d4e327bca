/**
 * Fixed sine/cosine positions (tutorial step 2; Vaswani et al. 2017, section 3.5).
 *
 * @module
 */

/** Tables that are kept: a model needs two, and each part of each batch asks for them. */
const KEPT = 16;
const tables = new Map<string, Float32Array<ArrayBuffer>>();

/**
 * The table of positions: `sin(p · 10000^(-2i/dim))` at even columns, the cosine at odd ones, interleaved. The
 * frequencies are rounded to float32 where PyTorch rounds them, so that the table agrees with the tutorial's.
 *
 * @param patches number of positions N
 * @param dim width, even
 * @returns `[N, dim]`, the same array each time: not to be written to
 */
export function sinusoidalPositions(patches: number, dim: number): Float32Array<ArrayBuffer> {
  const key = `${patches}x${dim}`;
  let table = tables.get(key);
  if (!table) {
    if (tables.size === KEPT) tables.clear();
    tables.set(key, table = computed(patches, dim));
  }
  return table;
}

function computed(patches: number, dim: number): Float32Array<ArrayBuffer> {
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
