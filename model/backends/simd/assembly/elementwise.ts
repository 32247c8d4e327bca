/**
 * Elementwise operations. The loads of a pair of vectors precede its stores: V8 does not fuse a load with one after a
 * store.
 */

/** out[n] = 0. */
export function zero(out: usize, n: i32): void {
  memory.fill(out, 0, <usize> n * 4);
}

/** out[n] = x[n] + y[i mod period], with n a multiple of the period. */
export function add(n: i32, period: i32, x: usize, y: usize, out: usize): void {
  const periodBytes = <usize> period * 4, end = x + <usize> n * 4;
  while (x < end) {
    let i: usize = 0;
    for (; i + 32 <= periodBytes; i += 32) {
      const xi = x + i, yi = y + i, to = out + i;
      const sum0 = f32x4.add(v128.load(xi), v128.load(yi)),
        sum1 = f32x4.add(v128.load(xi, 16), v128.load(yi, 16));
      v128.store(to, sum0);
      v128.store(to, sum1, 16);
    }
    for (; i < periodBytes; i += 4) f32.store(out + i, f32.load(x + i) + f32.load(y + i));
    x += periodBytes;
    out += periodBytes;
  }
}

/** out[n] = x[n] · y[n]. */
export function multiply(n: i32, x: usize, y: usize, out: usize): void {
  const bytes = <usize> n * 4;
  let i: usize = 0;
  for (; i + 32 <= bytes; i += 32) {
    const xi = x + i, yi = y + i, to = out + i;
    const value0 = f32x4.mul(v128.load(xi), v128.load(yi)),
      value1 = f32x4.mul(v128.load(xi, 16), v128.load(yi, 16));
    v128.store(to, value0);
    v128.store(to, value1, 16);
  }
  for (; i < bytes; i += 4) f32.store(out + i, f32.load(x + i) * f32.load(y + i));
}

/** out[n] = x[n] · factor[0]. */
export function scale(n: i32, x: usize, factor: usize, out: usize): void {
  const bytes = <usize> n * 4, f = v128.load32_splat(factor);
  let i: usize = 0;
  for (; i + 32 <= bytes; i += 32) {
    const xi = x + i, to = out + i;
    const value0 = f32x4.mul(v128.load(xi), f), value1 = f32x4.mul(v128.load(xi, 16), f);
    v128.store(to, value0);
    v128.store(to, value1, 16);
  }
  for (; i < bytes; i += 4) f32.store(out + i, f32.load(x + i) * f32.load(factor));
}

/** out[m, n] = x[m, n] + y[m, n] · factors[m]. */
export function addScaled(m: i32, n: i32, x: usize, y: usize, factors: usize, out: usize): void {
  const bytes = <usize> n * 4;
  for (; m > 0; m--) {
    const f = v128.load32_splat(factors);
    let i: usize = 0;
    for (; i + 32 <= bytes; i += 32) {
      const xi = x + i, yi = y + i, to = out + i;
      const sum0 = f32x4.add(v128.load(xi), f32x4.mul(v128.load(yi), f));
      const sum1 = f32x4.add(v128.load(xi, 16), f32x4.mul(v128.load(yi, 16), f));
      v128.store(to, sum0);
      v128.store(to, sum1, 16);
    }
    for (; i < bytes; i += 4) {
      f32.store(out + i, f32.load(x + i) + f32.load(y + i) * f32.load(factors));
    }
    factors += 4;
    x += bytes;
    y += bytes;
    out += bytes;
  }
}

/** out[m, n] = x[m, n] · factors[m]. */
export function scaleRows(m: i32, n: i32, x: usize, factors: usize, out: usize): void {
  const bytes = <usize> n * 4;
  for (; m > 0; m--) {
    scale(n, x, factors, out);
    factors += 4;
    x += bytes;
    out += bytes;
  }
}
