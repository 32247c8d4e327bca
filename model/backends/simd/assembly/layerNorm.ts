/**
 * Layer norm. Four rows are computed together, because the sums of a single row would wait for each other.
 */
import { sum4 } from "./inline";

/** Layer norm of x[m, n]. normed[m, n] and scale[m] are outputs for the gradient. */
export function layerNorm(
  m: i32,
  n: i32,
  x: usize,
  weight: usize,
  bias: usize,
  out: usize,
  normed: usize,
  scale: usize,
  eps: f32,
): void {
  const row = <usize> n * 4, vectors = row & ~15, inverse: f32 = 1 / <f32> n;
  let j: usize = 0;
  // #pragma unroll_and_jam(4)
  for (let i: i32 = 0; i < m; i++) {
    const xi = x + <usize> i * row, oi = out + <usize> i * row, yi = normed + <usize> i * row;
    let sums = f32x4.splat(0), rest: f32 = 0;
    for (j = 0; j < vectors; j += 16) {
      sums = f32x4.add(sums, v128.load(xi + j));
    }
    for (; j < row; j += 4) {
      rest += f32.load(xi + j);
    }
    const mean: f32 = (sum4(sums) + rest) * inverse, means = f32x4.splat(mean);
    sums = f32x4.splat(0);
    rest = 0;
    for (j = 0; j < vectors; j += 16) {
      {
        const centred = f32x4.sub(v128.load(xi + j), means);
        sums = f32x4.add(sums, f32x4.mul(centred, centred));
      }
    }
    for (; j < row; j += 4) {
      rest += (f32.load(xi + j) - mean) * (f32.load(xi + j) - mean);
    }
    const factor: f32 = 1 / sqrt<f32>((sum4(sums) + rest) * inverse + eps), factors = f32x4.splat(factor);
    f32.store(scale + <usize> i * 4, factor);
    for (j = 0; j < vectors; j += 16) {
      const w = v128.load(weight + j), b = v128.load(bias + j);
      {
        const value = f32x4.mul(f32x4.sub(v128.load(xi + j), means), factors);
        v128.store(yi + j, value);
        v128.store(oi + j, f32x4.add(f32x4.mul(value, w), b));
      }
    }
    for (; j < row; j += 4) {
      {
        const value = (f32.load(xi + j) - mean) * factor;
        f32.store(yi + j, value);
        f32.store(oi + j, value * f32.load(weight + j) + f32.load(bias + j));
      }
    }
  }
}

/** Gradient of x[m, n] from dy[m, n]. The gradients of weight[n] and bias[n] are added to dWeight and dBias. */
export function layerNormGradient(
  m: i32,
  n: i32,
  dy: usize,
  normed: usize,
  scale: usize,
  weight: usize,
  dx: usize,
  dWeight: usize,
  dBias: usize,
): void {
  const row = <usize> n * 4, vectors = row & ~15, inverse: f32 = 1 / <f32> n;
  let j: usize = 0;
  // #pragma unroll_and_jam(4)
  for (let i: i32 = 0; i < m; i++) {
    const gi = dy + <usize> i * row, yi = normed + <usize> i * row, di = dx + <usize> i * row;
    let sums = f32x4.splat(0), dots = f32x4.splat(0), restSum: f32 = 0, restDot: f32 = 0;
    for (j = 0; j < vectors; j += 16) {
      const w = v128.load(weight + j);
      let weightSums = v128.load(dWeight + j), biasSums = v128.load(dBias + j);
      {
        const g = v128.load(gi + j), value = v128.load(yi + j), d = f32x4.mul(g, w);
        sums = f32x4.add(sums, d);
        dots = f32x4.add(dots, f32x4.mul(d, value));
        weightSums = f32x4.add(weightSums, f32x4.mul(g, value));
        biasSums = f32x4.add(biasSums, g);
      }
      v128.store(dWeight + j, weightSums);
      v128.store(dBias + j, biasSums);
    }
    for (; j < row; j += 4) {
      {
        const g = f32.load(gi + j), value = f32.load(yi + j), d = g * f32.load(weight + j);
        restSum += d;
        restDot += d * value;
        f32.store(dWeight + j, f32.load(dWeight + j) + g * value);
        f32.store(dBias + j, f32.load(dBias + j) + g);
      }
    }
    const mean: f32 = (sum4(sums) + restSum) * inverse, dot: f32 = (sum4(dots) + restDot) * inverse;
    const factor: f32 = f32.load(scale + <usize> i * 4);
    const means = f32x4.splat(mean), meanDots = f32x4.splat(dot), factors = f32x4.splat(factor);
    for (j = 0; j < vectors; j += 16) {
      const w = v128.load(weight + j);
      {
        const d = f32x4.mul(v128.load(gi + j), w);
        const centred = f32x4.sub(f32x4.sub(d, means), f32x4.mul(v128.load(yi + j), meanDots));
        v128.store(di + j, f32x4.mul(centred, factors));
      }
    }
    for (; j < row; j += 4) {
      {
        const d = f32.load(gi + j) * f32.load(weight + j);
        f32.store(di + j, (d - mean - f32.load(yi + j) * dot) * factor);
      }
    }
  }
}
