/**
 * What goes value by value or row by row: GELU, sums, losses, picking rows.
 *
 * @module
 */
import { constant } from "./constants.ts";
import { exp2 } from "./exp.ts";
import { fma, lines, polynomial } from "./write.ts";

/** GELU of the four values `v`, after Abramowitz & Stegun 7.1.26 (error 1.5e-7): declares `y` and `slope`. */
const gelu4 = (relaxed: boolean) =>
  lines(
    `const size = f32x4.abs(v), one = ${constant("ONE")};`,
    // exp(-x² / 2) is the normal density's exponential and that of the error function's tail.
    exp2(relaxed, `f32x4.mul(f32x4.mul(v, v), ${constant("BELL")})`, "bell"),
    `const z = f32x4.mul(size, ${constant("SQRT1_2")});`,
    `const t = f32x4.div(one, ${fma(relaxed, "z", constant("ERF_P"), "one")});`,
    `const p = ${
      polynomial(relaxed, "t", (["ERF_5", "ERF_4", "ERF_3", "ERF_2", "ERF_1"] as const).map(constant))
    };`,
    // The upper tail, 1 - cdf(|x|); for a negative x it is the cdf itself.
    `const tail = f32x4.mul(f32x4.mul(f32x4.mul(p, t), bell), ${constant("HALF")});`,
    "const cdf = v128.bitselect(tail, f32x4.sub(one, tail), f32x4.lt(v, f32x4.splat(0)));",
    "const y = f32x4.mul(v, cdf);",
    `const slope = ${fma(relaxed, "v", `f32x4.mul(bell, ${constant("DENSITY")})`, "cdf")};`,
  );

const gelu = (relaxed: boolean) => `
/** Exact GELU of n values, and its derivative. */
export function gelu(n: i32, x: usize, out: usize, derivative: usize): void {
  const end = x + <usize>n * 4;
  for (; x + 16 <= end; x += 16) {
    const v = v128.load(x);
${gelu4(relaxed)}
    v128.store(out, y);
    v128.store(derivative, slope);
    out += 16;
    derivative += 16;
  }
  for (; x < end; x += 4) {
    const v = v128.load32_splat(x);
${gelu4(relaxed)}
    f32.store(out, f32x4.extract_lane(y, 0));
    f32.store(derivative, f32x4.extract_lane(slope, 0));
    out += 4;
    derivative += 4;
  }
}
`;

const ROWS = `
/** Zeros. */
export function zero(at: usize, values: i32): void {
  memory.fill(at, 0, <usize>values * 4);
}

/** out[n] = x[n] + y[i mod period]: a sum of equals where the period is n. */
export function add(n: i32, period: i32, x: usize, y: usize, out: usize): void {
  const cycle = <usize>period * 4, end = x + <usize>n * 4;
  while (x < end) {
    let at: usize = 0;
    for (; at + 16 <= cycle; at += 16) v128.store(out + at, f32x4.add(v128.load(x + at), v128.load(y + at)));
    for (; at < cycle; at += 4) f32.store(out + at, f32.load(x + at) + f32.load(y + at));
    x += cycle; out += cycle;
  }
}

/** out[n] = x[n] · y[n]. */
export function multiply(n: i32, x: usize, y: usize, out: usize): void {
  const all = <usize>n * 4;
  let at: usize = 0;
  for (; at + 16 <= all; at += 16) v128.store(out + at, f32x4.mul(v128.load(x + at), v128.load(y + at)));
  for (; at < all; at += 4) f32.store(out + at, f32.load(x + at) * f32.load(y + at));
}

/** out[n] = x[n] · factor[0]. */
export function scale(n: i32, x: usize, factor: usize, out: usize): void {
  const all = <usize>n * 4, f = v128.load32_splat(factor);
  let at: usize = 0;
  for (; at + 16 <= all; at += 16) v128.store(out + at, f32x4.mul(v128.load(x + at), f));
  for (; at < all; at += 4) f32.store(out + at, f32.load(x + at) * f32.load(factor));
}

/** out[count, n] = the rows of x that the 32-bit indices name; \`other\` for index -1. */
export function takeRows(count: i32, n: i32, x: usize, other: usize, indices: usize, out: usize): void {
  const row = <usize>n * 4;
  for (; count > 0; count--) {
    const index = i32.load(indices);
    memory.copy(out, index < 0 ? other : x + <usize>index * row, row);
    indices += 4;
    out += row;
  }
}

/** out[n] += the sum of the rows of x[m, n] where mask[m] is not 0. */
export function sumMasked(m: i32, n: i32, x: usize, mask: usize, out: usize): void {
  const row = <usize>n * 4;
  for (let i: i32 = 0; i < m; i++) {
    if (f32.load(mask) != 0) {
      let at: usize = 0;
      for (; at + 16 <= row; at += 16) v128.store(out + at, f32x4.add(v128.load(out + at), v128.load(x + at)));
      for (; at < row; at += 4) f32.store(out + at, f32.load(out + at) + f32.load(x + at));
    }
    mask += 4; x += row;
  }
}

/**
 * Mean squared error of pred[m, n] to target[m, n] over the rows whose mask[m] is 1: the loss, and its gradient
 * slope[m, n].
 */
export function maskedLoss(m: i32, n: i32, pred: usize, target: usize, mask: usize, loss: usize, slope: usize): void {
  const row = <usize>n * 4;
  let masked: f32 = 0;
  for (let i: i32 = 0; i < m; i++) masked += f32.load(mask + <usize>i * 4);
  const factor: f32 = 2 / (<f32>n * masked), f = f32x4.splat(factor);
  let sums = f32x4.splat(0), rest: f32 = 0;
  for (let i: i32 = 0; i < m; i++) {
    if (f32.load(mask) == 0) {
      memory.fill(slope, 0, row);
    } else {
      let at: usize = 0;
      for (; at + 16 <= row; at += 16) {
        const error = f32x4.sub(v128.load(pred + at), v128.load(target + at));
        sums = f32x4.add(sums, f32x4.mul(error, error));
        v128.store(slope + at, f32x4.mul(error, f));
      }
      for (; at < row; at += 4) {
        const error = f32.load(pred + at) - f32.load(target + at);
        rest += error * error;
        f32.store(slope + at, error * factor);
      }
    }
    pred += row; target += row; slope += row; mask += 4;
  }
  f32.store(loss, (sum4(sums) + rest) / (<f32>n * masked));
}
`;

const crossEntropy = (relaxed: boolean) => `
/** Natural logarithm of x >= 1, or NaN. */
function ln(x: f64): f64 {
  if (!(x < Infinity)) return x;
  const bits = reinterpret<i64>(x);
  let power = (bits >> 52) - 1023, m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) { m *= 0.5; power++; }
  const s = (m - 1) / (m + 1), q = s * s;
  let sum: f64 = 1.0 / 15;
  for (let i = 13; i > 0; i -= 2) sum = sum * q + 1 / <f64>i;
  return <f64>power * 0.6931471805599453 + 2 * s * sum;
}

/** Mean cross-entropy of logits[m, n] with the 32-bit labels[m], and its gradient slope[m, n]. */
export function crossEntropy(m: i32, n: i32, logits: usize, labels: usize, loss: usize, slope: usize): void {
  const row = <usize>n * 4, share: f32 = 1 / <f32>m;
  let total: f64 = 0;
  for (let i: i32 = 0; i < m; i++) {
    let most: f32 = -Infinity, sum: f64 = 0;
    for (let at: usize = 0; at < row; at += 4) most = max(most, f32.load(logits + at));
    for (let at: usize = 0; at < row; at += 4) {
${exp2(relaxed, `f32x4.splat((f32.load(logits + at) - most) * <f32>${Math.LOG2E})`, "e")}
      const value = f32x4.extract_lane(e, 0);
      sum += <f64>value;
      f32.store(slope + at, value);
    }
    const target = <usize>i32.load(labels) * 4, factor = <f32>(<f64>share / sum);
    for (let at: usize = 0; at < row; at += 4) f32.store(slope + at, f32.load(slope + at) * factor);
    f32.store(slope + target, f32.load(slope + target) - share);
    total += ln(sum) - (<f64>f32.load(logits + target) - <f64>most);
    logits += row; slope += row; labels += 4;
  }
  f32.store(loss, <f32>(total * <f64>share));
}

`;

const POOLS = `
/** out[batch, n] = the mean over tokens of x[batch, tokens, n]. */
export function meanPool(batch: i32, tokens: i32, n: i32, x: usize, out: usize): void {
  const row = <usize>n * 4, share: f32 = 1 / <f32>tokens;
  memory.fill(out, 0, <usize>batch * row);
  for (let b: i32 = 0; b < batch; b++) {
    sumRows(tokens, n, x, out);
    for (let at: usize = 0; at < row; at += 4) f32.store(out + at, f32.load(out + at) * share);
    x += <usize>tokens * row; out += row;
  }
}

/** dx[batch, tokens, n] from dy[batch, n]. */
export function meanPoolGradient(batch: i32, tokens: i32, n: i32, dy: usize, dx: usize): void {
  const row = <usize>n * 4, share: f32 = 1 / <f32>tokens;
  for (let b: i32 = 0; b < batch; b++) {
    for (let at: usize = 0; at < row; at += 4) f32.store(dx + at, f32.load(dy + at) * share);
    const first = dx;
    for (let t: i32 = 1; t < tokens; t++) { dx += row; memory.copy(dx, first, row); }
    dx += row; dy += row;
  }
}
`;

/** Source of these kernels. */
export function rowKernels(relaxed: boolean): string {
  return lines(gelu(relaxed), ROWS, crossEntropy(relaxed), POOLS);
}
