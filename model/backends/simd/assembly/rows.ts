import { SUM_ROWS } from "./blockSizes";

/** out[n] += the sum of the rows of x[m, n], in partial sums of up to SUM_ROWS rows. */
export function sumRows(m: i32, n: i32, x: usize, out: usize): void {
  const row = <usize> n * 4;
  for (; m > 0; m -= SUM_ROWS) {
    addRows(min(m, SUM_ROWS), n, x, out);
    x += SUM_ROWS * row;
  }
}

/** out[n] += the sum of the rows of x[m, n]. */
function addRows(m: i32, n: i32, x: usize, out: usize): void {
  const row = <usize> n * 4, vectors = row & ~15;
  let j: usize = 0;
  for (; j + 64 <= vectors; j += 64) {
    const to = out + j;
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let source = x + j;
    for (let i: i32 = 0; i < m; i++) {
      s0 = f32x4.add(s0, v128.load(source));
      s1 = f32x4.add(s1, v128.load(source, 16));
      s2 = f32x4.add(s2, v128.load(source, 32));
      s3 = f32x4.add(s3, v128.load(source, 48));
      source += row;
    }
    s0 = f32x4.add(s0, v128.load(to));
    s1 = f32x4.add(s1, v128.load(to, 16));
    s2 = f32x4.add(s2, v128.load(to, 32));
    s3 = f32x4.add(s3, v128.load(to, 48));
    v128.store(to, s0);
    v128.store(to, s1, 16);
    v128.store(to, s2, 32);
    v128.store(to, s3, 48);
  }
  for (; j < vectors; j += 16) {
    let sum = f32x4.splat(0), source = x + j;
    for (let i: i32 = 0; i < m; i++) {
      sum = f32x4.add(sum, v128.load(source));
      source += row;
    }
    v128.store(out + j, f32x4.add(sum, v128.load(out + j)));
  }
  for (; j < row; j += 4) {
    let sum: f32 = 0, source = x + j;
    for (let i: i32 = 0; i < m; i++) {
      sum += f32.load(source);
      source += row;
    }
    f32.store(out + j, sum + f32.load(out + j));
  }
}

/** out[n] += the sum of the rows of x[m, n] whose mask[m] is not 0. */
export function sumMaskedRows(m: i32, n: i32, x: usize, mask: usize, out: usize): void {
  const row = <usize> n * 4;
  for (let i: i32 = 0; i < m; i++) {
    if (f32.load(mask) != 0) {
      let j: usize = 0;
      for (; j + 32 <= row; j += 32) {
        const xi = x + j, to = out + j;
        const sum0 = f32x4.add(v128.load(to), v128.load(xi)),
          sum1 = f32x4.add(v128.load(to, 16), v128.load(xi, 16));
        v128.store(to, sum0);
        v128.store(to, sum1, 16);
      }
      for (; j < row; j += 4) f32.store(out + j, f32.load(out + j) + f32.load(x + j));
    }
    mask += 4;
    x += row;
  }
}

/** out[count, n] = the rows of x[…, n] at the 32-bit indices[count]; fallback[n] for index -1. */
export function gatherRows(count: i32, n: i32, x: usize, fallback: usize, indices: usize, out: usize): void {
  const row = <usize> n * 4;
  for (; count > 0; count--) {
    const index = i32.load(indices);
    memory.copy(out, index < 0 ? fallback : x + <usize> index * row, row);
    indices += 4;
    out += row;
  }
}

/** out[batch, n] = the mean of x[batch, tokens, n] over `count` tokens from the token `first` on. */
export function meanPool(
  batch: i32,
  tokens: i32,
  first: i32,
  count: i32,
  n: i32,
  x: usize,
  out: usize,
): void {
  const row = <usize> n * 4, inverse: f32 = 1 / <f32> count;
  memory.fill(out, 0, <usize> batch * row);
  x += <usize> first * row;
  for (let b: i32 = 0; b < batch; b++) {
    sumRows(count, n, x, out);
    for (let j: usize = 0; j < row; j += 4) f32.store(out + j, f32.load(out + j) * inverse);
    x += <usize> tokens * row;
    out += row;
  }
}

/** dx[batch, tokens, n] from dy[batch, n], zero at the tokens that the mean does not include. */
export function meanPoolGradient(
  batch: i32,
  tokens: i32,
  first: i32,
  count: i32,
  n: i32,
  dy: usize,
  dx: usize,
): void {
  const row = <usize> n * 4, before = <usize> first * row, after = <usize> (tokens - first - count) * row;
  const inverse: f32 = 1 / <f32> count;
  for (let b: i32 = 0; b < batch; b++) {
    memory.fill(dx, 0, before);
    dx += before;
    for (let j: usize = 0; j < row; j += 4) f32.store(dx + j, f32.load(dy + j) * inverse);
    const share = dx;
    for (let t: i32 = 1; t < count; t++) {
      dx += row;
      memory.copy(dx, share, row);
    }
    dx += row;
    memory.fill(dx, 0, after);
    dx += after;
    dy += row;
  }
}
