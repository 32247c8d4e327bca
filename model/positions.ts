/**
 * Fixed sine/cosine positions (tutorial step 2; Vaswani et al. 2017, section 3.5).
 *
 * @module
 */

/**
 * The table of positions: `sin(p · 10000^(-2i/dim))` at even columns, the cosine at odd ones, interleaved. The
 * frequencies are rounded to float32 where PyTorch rounds them, so that the table agrees with the tutorial's.
 *
 * @param patches number of positions N
 * @param dim width, even
 * @returns `[N, dim]`
 */
export function sinusoidalPositions(patches: number, dim: number): Float32Array<ArrayBuffer> {
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
