/**
 * Softmax of attention scores in the compact layout, and its gradient. x[tokens, rows] has the scores of a query in
 * each column, so every lane of an element has a sum of its own. A softmax is stored as powers and the inverses of
 * their sums, because it costs less to divide the products with the values.
 */
import { ELEMENT } from "./compact";
import { exp2, fma } from "./inline";

/**
 * Softmax of scale · x, for every column of x[height + 1, rows] without its last element: replaces x by the powers of e,
 * relative to the largest one, and the last element by the inverse of their sum.
 */
export function softmax(height: i32, rows: i32, x: usize, scale: f32): void {
  // #pragma constants(EXP2)
  const factor = f32x4.splat(scale * <f32> 1.4426950408889634);
  const step = <usize> rows * ELEMENT, end = <usize> height * step;
  // #pragma unroll_and_jam(3)
  for (let i: i32 = 0; i < rows; i++) {
    const xi = x + <usize> i * ELEMENT;
    let max0 = v128.load(xi), max1 = v128.load(xi, 16);
    for (let j = step; j < end; j += step) {
      {
        const at = xi + j;
        max0 = f32x4.pmax(max0, v128.load(at));
        max1 = f32x4.pmax(max1, v128.load(at, 16));
      }
    }
    let sum0 = f32x4.splat(0), sum1 = f32x4.splat(0);
    for (let j: usize = 0; j < end; j += step) {
      // The maximum is subtracted before the product, because the rounding error of a huge product can exceed 127.
      {
        const at = xi + j;
        const e0 = exp2(f32x4.mul(f32x4.sub(v128.load(at), max0), factor), ...EXP2);
        const e1 = exp2(f32x4.mul(f32x4.sub(v128.load(at, 16), max1), factor), ...EXP2);
        v128.store(at, e0);
        v128.store(at, e1, 16);
        sum0 = f32x4.add(sum0, e0);
        sum1 = f32x4.add(sum1, e1);
      }
    }
    const last = xi + end, inverse0 = f32x4.div(EXP2_0, sum0), inverse1 = f32x4.div(EXP2_0, sum1);
    v128.store(last, inverse0);
    v128.store(last, inverse1, 16);
  }
}

/**
 * From the gradient of softmax's result to that of x: d = scale · p · (d - the sum of p · d · inverse) in every column,
 * for the powers p[height, rows], which the inverses of their sums follow. d was multiplied by the inverses.
 */
export function softmaxGradient(height: i32, rows: i32, p: usize, d: usize, scale: f32): void {
  const factor = f32x4.splat(scale), step = <usize> rows * ELEMENT, end = <usize> height * step;
  // #pragma unroll_and_jam(3)
  for (let i: i32 = 0; i < rows; i++) {
    const pi = p + <usize> i * ELEMENT, di = d + <usize> i * ELEMENT;
    let sum0 = f32x4.splat(0), sum1 = f32x4.splat(0);
    for (let j: usize = 0; j < end; j += step) {
      {
        const from = pi + j, at = di + j;
        sum0 = fma(v128.load(from), v128.load(at), sum0);
        sum1 = fma(v128.load(from, 16), v128.load(at, 16), sum1);
      }
    }
    const last = pi + end;
    sum0 = f32x4.mul(sum0, v128.load(last));
    sum1 = f32x4.mul(sum1, v128.load(last, 16));
    for (let j: usize = 0; j < end; j += step) {
      {
        const from = pi + j, at = di + j;
        const d0 = f32x4.sub(v128.load(at), sum0), d1 = f32x4.sub(v128.load(at, 16), sum1);
        const p0 = f32x4.mul(v128.load(from), factor), p1 = f32x4.mul(v128.load(from, 16), factor);
        v128.store(at, f32x4.mul(d0, p0));
        v128.store(at, f32x4.mul(d1, p1), 16);
      }
    }
  }
}

/** Multiplies every column of x[height, rows] by an element of factors[rows]. */
export function multiplyColumns(height: i32, rows: i32, x: usize, factors: usize): void {
  const step = <usize> rows * ELEMENT, end = <usize> height * step;
  for (let i: usize = 0; i < step; i += ELEMENT) {
    const factor = factors + i, factor0 = v128.load(factor), factor1 = v128.load(factor, 16);
    for (let j: usize = i; j < end; j += step) {
      const at = x + j,
        value0 = f32x4.mul(v128.load(at), factor0),
        value1 = f32x4.mul(v128.load(at, 16), factor1);
      v128.store(at, value0);
      v128.store(at, value1, 16);
    }
  }
}
