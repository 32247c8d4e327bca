/**
 * Layer norm. Four rows are computed together, because the sums of a single row would wait for each other. A sum has 8
 * lanes: two vectors, which the wide build computes as one.
 */
import { fma, sum4 } from "./inline";

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
  const row = <usize> n * 4, vectors = row & ~31, inverse: f32 = 1 / <f32> n;
  let j: usize = 0;
  // #pragma unroll_and_jam(4)
  for (let i: i32 = 0; i < m; i++) {
    const xi = x + <usize> i * row, oi = out + <usize> i * row, yi = normed + <usize> i * row;
    let sum0 = f32x4.splat(0), sum1 = f32x4.splat(0), rest: f32 = 0;
    for (j = 0; j < vectors; j += 32) {
      {
        const at = xi + j;
        sum0 = f32x4.add(sum0, v128.load(at));
        sum1 = f32x4.add(sum1, v128.load(at, 16));
      }
    }
    for (; j < row; j += 4) {
      rest += f32.load(xi + j);
    }
    const mean: f32 = (sum4(f32x4.add(sum0, sum1)) + rest) * inverse, means = f32x4.splat(mean);
    sum0 = f32x4.splat(0);
    sum1 = f32x4.splat(0);
    rest = 0;
    for (j = 0; j < vectors; j += 32) {
      {
        const at = xi + j;
        const centred0 = f32x4.sub(v128.load(at), means), centred1 = f32x4.sub(v128.load(at, 16), means);
        sum0 = fma(centred0, centred0, sum0);
        sum1 = fma(centred1, centred1, sum1);
      }
    }
    for (; j < row; j += 4) {
      rest += (f32.load(xi + j) - mean) * (f32.load(xi + j) - mean);
    }
    const variance: f32 = (sum4(f32x4.add(sum0, sum1)) + rest) * inverse;
    const factor: f32 = 1 / sqrt<f32>(variance + eps), factors = f32x4.splat(factor);
    f32.store(scale + <usize> i * 4, factor);
    for (j = 0; j < vectors; j += 32) {
      const w = weight + j, b = bias + j, w0 = v128.load(w), w1 = v128.load(w, 16);
      const b0 = v128.load(b), b1 = v128.load(b, 16);
      {
        const at = xi + j, y = yi + j, o = oi + j;
        const value0 = f32x4.mul(f32x4.sub(v128.load(at), means), factors);
        const value1 = f32x4.mul(f32x4.sub(v128.load(at, 16), means), factors);
        v128.store(y, value0);
        v128.store(y, value1, 16);
        v128.store(o, fma(value0, w0, b0));
        v128.store(o, fma(value1, w1, b1), 16);
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
  const row = <usize> n * 4, vectors = row & ~31, inverse: f32 = 1 / <f32> n;
  let j: usize = 0;
  // #pragma unroll_and_jam(4)
  for (let i: i32 = 0; i < m; i++) {
    const gi = dy + <usize> i * row, yi = normed + <usize> i * row, di = dx + <usize> i * row;
    let sum0 = f32x4.splat(0), sum1 = f32x4.splat(0), restSum: f32 = 0;
    let dot0 = f32x4.splat(0), dot1 = f32x4.splat(0), restDot: f32 = 0;
    for (j = 0; j < vectors; j += 32) {
      const w = weight + j, w0 = v128.load(w), w1 = v128.load(w, 16), dw = dWeight + j, db = dBias + j;
      let weightSum0 = f32x4.splat(0), weightSum1 = f32x4.splat(0);
      let biasSum0 = f32x4.splat(0), biasSum1 = f32x4.splat(0);
      {
        const g = gi + j, y = yi + j, g0 = v128.load(g), g1 = v128.load(g, 16);
        const value0 = v128.load(y), value1 = v128.load(y, 16);
        const d0 = f32x4.mul(g0, w0), d1 = f32x4.mul(g1, w1);
        sum0 = f32x4.add(sum0, d0);
        sum1 = f32x4.add(sum1, d1);
        dot0 = fma(d0, value0, dot0);
        dot1 = fma(d1, value1, dot1);
        weightSum0 = fma(g0, value0, weightSum0);
        weightSum1 = fma(g1, value1, weightSum1);
        biasSum0 = f32x4.add(biasSum0, g0);
        biasSum1 = f32x4.add(biasSum1, g1);
      }
      weightSum0 = f32x4.add(weightSum0, v128.load(dw));
      weightSum1 = f32x4.add(weightSum1, v128.load(dw, 16));
      biasSum0 = f32x4.add(biasSum0, v128.load(db));
      biasSum1 = f32x4.add(biasSum1, v128.load(db, 16));
      v128.store(dw, weightSum0);
      v128.store(dw, weightSum1, 16);
      v128.store(db, biasSum0);
      v128.store(db, biasSum1, 16);
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
    const mean: f32 = (sum4(f32x4.add(sum0, sum1)) + restSum) * inverse;
    const dot: f32 = (sum4(f32x4.add(dot0, dot1)) + restDot) * inverse;
    const factor: f32 = f32.load(scale + <usize> i * 4);
    const means = f32x4.splat(mean), meanDots = f32x4.splat(dot), factors = f32x4.splat(factor);
    for (j = 0; j < vectors; j += 32) {
      const w = weight + j, w0 = v128.load(w), w1 = v128.load(w, 16);
      {
        const g = gi + j, y = yi + j, to = di + j;
        const d0 = f32x4.sub(f32x4.mul(v128.load(g), w0), means);
        const d1 = f32x4.sub(f32x4.mul(v128.load(g, 16), w1), means);
        const centred0 = f32x4.sub(d0, f32x4.mul(v128.load(y), meanDots));
        const centred1 = f32x4.sub(d1, f32x4.mul(v128.load(y, 16), meanDots));
        v128.store(to, f32x4.mul(centred0, factors));
        v128.store(to, f32x4.mul(centred1, factors), 16);
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
