/**
 * Softmax of the rows of attention scores, and its gradient. Four rows are computed together, because the sums of a
 * single row would wait for each other. The rows are padded to a multiple of 8 floats.
 */
import { exp2, sum4 } from "./inline";

/** softmax(scale · x) of every row, in place. The columns from `width` to the padded width become 0. */
export function softmax(height: i32, width: i32, row: usize, x: usize, scale: f32): void {
  const end = <usize> width * 4, factor = f32x4.splat(scale * <f32> 1.4426950408889634);
  // #pragma unroll_and_jam(4)
  for (let i: i32 = 0; i < height; i++) {
    const xi = x + <usize> i * row;
    for (let j = end; j < row; j += 4) {
      f32.store(xi + j, -Infinity);
    }
    let max0 = v128.load(xi), max1 = v128.load(xi, 16);
    for (let j: usize = 32; j < row; j += 32) {
      max0 = f32x4.pmax(max0, v128.load(xi + j));
      max1 = f32x4.pmax(max1, v128.load(xi + j, 16));
    }
    max0 = f32x4.pmax(max0, max1);
    max0 = f32x4.pmax(max0, v128.shuffle<f32>(max0, max0, 2, 3, 0, 1));
    max0 = f32x4.pmax(max0, v128.shuffle<f32>(max0, max0, 1, 0, 3, 2));
    let sum0 = f32x4.splat(0), sum1 = sum0;
    for (let j: usize = 0; j < row; j += 32) {
      // The maximum is subtracted before the product, because the rounding error of a huge product can exceed 127.
      {
        const e0 = exp2(f32x4.mul(f32x4.sub(v128.load(xi + j), max0), factor));
        v128.store(xi + j, e0);
        sum0 = f32x4.add(sum0, e0);
        const e1 = exp2(f32x4.mul(f32x4.sub(v128.load(xi + j, 16), max0), factor));
        v128.store(xi + j, e1, 16);
        sum1 = f32x4.add(sum1, e1);
      }
    }
    const inverse = f32x4.splat(1 / sum4(f32x4.add(sum0, sum1)));
    for (let j: usize = 0; j < row; j += 32) {
      v128.store(xi + j, f32x4.mul(v128.load(xi + j), inverse));
      v128.store(xi + j, f32x4.mul(v128.load(xi + j, 16), inverse), 16);
    }
  }
}

/** d = scale · p · (d - the sum of p · d) in every row: from the gradient of softmax's result p to that of x. */
export function softmaxGradient(height: i32, row: usize, p: usize, d: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
  // #pragma unroll_and_jam(4)
  for (let i: i32 = 0; i < height; i++) {
    const pi = p + <usize> i * row, di = d + <usize> i * row;
    let sum0 = f32x4.splat(0), sum1 = f32x4.splat(0);
    for (let j: usize = 0; j < row; j += 32) {
      sum0 = f32x4.add(sum0, f32x4.mul(v128.load(pi + j), v128.load(di + j)));
      sum1 = f32x4.add(sum1, f32x4.mul(v128.load(pi + j, 16), v128.load(di + j, 16)));
    }
    const dot = f32x4.splat(sum4(f32x4.add(sum0, sum1)));
    for (let j: usize = 0; j < row; j += 32) {
      v128.store(di + j, f32x4.mul(f32x4.sub(v128.load(di + j), dot), f32x4.mul(v128.load(pi + j), factor)));
      v128.store(
        di + j,
        f32x4.mul(f32x4.sub(v128.load(di + j, 16), dot), f32x4.mul(v128.load(pi + j, 16), factor)),
        16,
      );
    }
  }
}
