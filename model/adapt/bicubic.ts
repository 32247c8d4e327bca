/**
 * Bicubic interpolation of square grids, with the numbers of PyTorch's
 * `interpolate(mode="bicubic", align_corners=False)` (Keys 1981 with a = -0.75, no antialiasing).
 *
 * @module
 */

const A = -0.75;

/** Weights of the four neighbours of a point at distance `t` from the second one. */
function cubicWeights(t: number): readonly [number, number, number, number] {
  const near = (x: number) => ((A + 2) * x - (A + 3)) * x * x + 1;
  const far = (x: number) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
  return [far(t + 1), near(t), near(1 - t), far(2 - t)];
}

/** The neighbours of a point of the new grid on one axis of the old one. */
interface Tap {
  readonly indices: readonly number[];
  readonly weights: readonly number[];
}

/** Returns the neighbours of every point of an axis. Those outside the grid are the points of its border. */
function tapsOf(from: number, to: number): Tap[] {
  const scale = Math.fround(from / to);
  return Array.from({ length: to }, (_, i) => {
    // PyTorch computes the coordinate in float32, with one rounding.
    const position = Math.fround(scale * (i + 0.5) - 0.5);
    const first = Math.floor(position);
    const indices = [-1, 0, 1, 2].map((offset) => Math.min(Math.max(first + offset, 0), from - 1));
    return { indices, weights: cubicWeights(position - first) };
  });
}

/**
 * Interpolates a square grid of vectors to another size.
 *
 * @param grid `[from, from, dim]`
 * @param from height and width of the grid
 * @param to height and width of the result
 * @returns `[to, to, dim]`
 *
 * @example
 * ```ts
 * import { interpolateGrid } from "./bicubic.ts";
 *
 * const grid = Float32Array.of(0, 1, 2, 3); // 2 x 2 vectors of one value
 * console.log(interpolateGrid(grid, 2, 4, 1).length); // 16
 * ```
 */
export function interpolateGrid(
  grid: Float32Array,
  from: number,
  to: number,
  dim: number,
): Float32Array<ArrayBuffer> {
  const taps = tapsOf(from, to), result = new Float32Array(to * to * dim);
  const sum = new Float64Array(dim);
  for (let row = 0; row < to; row++) {
    for (let column = 0; column < to; column++) {
      sum.fill(0);
      for (const [i, y] of taps[row].indices.entries()) {
        for (const [j, x] of taps[column].indices.entries()) {
          const weight = taps[row].weights[i] * taps[column].weights[j], start = (y * from + x) * dim;
          for (let d = 0; d < dim; d++) sum[d] += weight * grid[start + d];
        }
      }
      result.set(sum, (row * to + column) * dim);
    }
  }
  return result;
}
