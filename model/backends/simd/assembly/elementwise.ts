/** out[n] = 0. */
export function zero(out: usize, n: i32): void {
  memory.fill(out, 0, <usize> n * 4);
}

/** out[n] = x[n] + y[i mod period], with n a multiple of the period. */
export function add(n: i32, period: i32, x: usize, y: usize, out: usize): void {
  const periodBytes = <usize> period * 4, end = x + <usize> n * 4;
  while (x < end) {
    let i: usize = 0;
    for (; i + 16 <= periodBytes; i += 16) v128.store(out + i, f32x4.add(v128.load(x + i), v128.load(y + i)));
    for (; i < periodBytes; i += 4) f32.store(out + i, f32.load(x + i) + f32.load(y + i));
    x += periodBytes;
    out += periodBytes;
  }
}

/** out[n] = x[n] · y[n]. */
export function multiply(n: i32, x: usize, y: usize, out: usize): void {
  const bytes = <usize> n * 4;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(out + i, f32x4.mul(v128.load(x + i), v128.load(y + i)));
  for (; i < bytes; i += 4) f32.store(out + i, f32.load(x + i) * f32.load(y + i));
}

/** out[n] = x[n] · factor[0]. */
export function scale(n: i32, x: usize, factor: usize, out: usize): void {
  const bytes = <usize> n * 4, f = v128.load32_splat(factor);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(out + i, f32x4.mul(v128.load(x + i), f));
  for (; i < bytes; i += 4) f32.store(out + i, f32.load(x + i) * f32.load(factor));
}
