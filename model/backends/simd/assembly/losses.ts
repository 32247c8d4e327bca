import { exp2, fma, sum4 } from "./inline";

/**
 * Mean squared error of pred[m, n] and target[m, n] over the rows whose mask[m] is 1, and its gradient grad[m, n].
 */
export function maskedLoss(
  m: i32,
  n: i32,
  pred: usize,
  target: usize,
  mask: usize,
  loss: usize,
  grad: usize,
): void {
  const row = <usize> n * 4;
  let masked: f32 = 0;
  for (let i: i32 = 0; i < m; i++) masked += f32.load(mask + <usize> i * 4);
  const factor: f32 = 2 / (<f32> n * masked), f = f32x4.splat(factor);
  let total: f64 = 0;
  for (let i: i32 = 0; i < m; i++) {
    if (f32.load(mask) == 0) {
      memory.fill(grad, 0, row);
    } else {
      let sum0 = f32x4.splat(0), sum1 = f32x4.splat(0), rest: f32 = 0;
      let j: usize = 0;
      for (; j + 32 <= row; j += 32) {
        const p = pred + j, t = target + j, g = grad + j;
        const error0 = f32x4.sub(v128.load(p), v128.load(t));
        const error1 = f32x4.sub(v128.load(p, 16), v128.load(t, 16));
        sum0 = fma(error0, error0, sum0);
        sum1 = fma(error1, error1, sum1);
        v128.store(g, f32x4.mul(error0, f));
        v128.store(g, f32x4.mul(error1, f), 16);
      }
      for (; j < row; j += 4) {
        const error = f32.load(pred + j) - f32.load(target + j);
        rest += error * error;
        f32.store(grad + j, error * factor);
      }
      total += <f64> sum4(f32x4.add(sum0, sum1)) + <f64> rest;
    }
    pred += row;
    target += row;
    grad += row;
    mask += 4;
  }
  f32.store(loss, <f32> (total / (<f64> n * <f64> masked)));
}

/** Natural logarithm of x >= 1; NaN for NaN. */
function ln(x: f64): f64 {
  if (!(x < Infinity)) return x;
  const bits = reinterpret<i64>(x);
  let power = (bits >> 52) - 1023, m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    power++;
  }
  const s = (m - 1) / (m + 1), q = s * s;
  let sum: f64 = 1.0 / 15;
  for (let i = 13; i > 0; i -= 2) sum = sum * q + 1 / <f64> i;
  return <f64> power * 0.6931471805599453 + 2 * s * sum;
}

/**
 * Mean cross-entropy of logits[m, n] with the 32-bit labels[m], and its gradient grad[m, n]. The loss is NaN when a label
 * is not in [0, n).
 */
export function crossEntropy(m: i32, n: i32, logits: usize, labels: usize, loss: usize, grad: usize): void {
  // #pragma constants(EXP2)
  const row = <usize> n * 4, inverse: f32 = 1 / <f32> m;
  let total: f64 = 0;
  for (let i: i32 = 0; i < m; i++) {
    let largest: f32 = -Infinity, sum: f64 = 0;
    for (let j: usize = 0; j < row; j += 4) largest = max(largest, f32.load(logits + j));
    for (let j: usize = 0; j < row; j += 4) {
      const power = exp2(f32x4.splat((f32.load(logits + j) - largest) * <f32> 1.4426950408889634), ...EXP2);
      const value = f32x4.extract_lane(power, 0);
      sum += <f64> value;
      f32.store(grad + j, value);
    }
    const label = <u32> i32.load(labels), target = <usize> label * 4, factor = <f32> (<f64> inverse / sum);
    for (let j: usize = 0; j < row; j += 4) f32.store(grad + j, f32.load(grad + j) * factor);
    if (label < <u32> n) {
      f32.store(grad + target, f32.load(grad + target) - inverse);
      total += ln(sum) - (<f64> f32.load(logits + target) - <f64> largest);
    } else {
      total = NaN;
    }
    logits += row;
    grad += row;
    labels += 4;
  }
  f32.store(loss, <f32> (total * <f64> inverse));
}
