/**
 * Matrix products of any size.
 *
 * @module
 */
import { STAGE, stagedTiles } from "./staged.ts";
import { lines } from "./write.ts";

/** Rows of a weight's gradient that are packed at once. */
const PACKED_CHUNK = 256;

/** A width filled up to whole tiles. */
export const padded = (width: number): number => Math.ceil(width / 8) * 8;

/** Values of scratch that a product needs where it meets the edge of a matrix. */
export const EDGE_VALUES: number = 8 * 6;

/** Width from which a weight's gradient is packed on its way: measured. */
export const PACKED_FROM = 256;

/** Values of scratch with which a weight's gradient `[n, k]` is packed on its way. */
export const packedValues = (n: number): number => PACKED_CHUNK * n;

const DRIVERS = `
/** Steps of the next stage of \`k\` that are left: as many as it holds, or all. */
// @ts-ignore: decorator
@inline function stageOf(k: i32): i32 { return k < ${STAGE + 8} ? k : ${STAGE}; }

/**
 * C[m, n] = A[m, k] · B[k, n] (+ bias[n]) (+ D[m, n]); 0 for what is absent. Value (i, j) of B lies at
 * b + i · bRow + j · bColumn, one of the two being 4. Rows of A, C and D at any distance, D's as C's. room: columns
 * that may be written, those behind n with what is not said.
 */
function rows(
  m: i32, n: i32, room: i32, k: i32, a: usize, aRow: usize, b: usize, bRow: usize, bColumn: usize, c: usize, cRow: usize,
  bias: usize, d: usize, edge: usize,
): void {
  for (let j: i32 = 0; j < n; j += 8) {
    const width = min(8, n - j), bj = b + <usize>j * bColumn, offset = <usize>j * 4;
    let from: i32 = 0, init = bias ? bias + offset : 0, source = d ? d + offset : 0;
    while (from < k) {
      const steps = stageOf(k - from), groups = steps >> 3, left = steps & 7, at = bj + <usize>from * bRow;
      if (bColumn == 4) stageRows(groups, left, at, bRow);
      else stageColumns(groups, left, width, at, bColumn);
      let ai = a + <usize>from * 4, ci = c + offset, di = source, i: i32 = 0;
      if (j + 8 > room) {
        for (; i < m; i += 6) {
          const count = min(6, m - i);
          if (count == 6) tall(groups, left, ai, aRow, edge, 32, 0, 0);
          else {
            short(min(4, count), groups, left, ai, aRow, edge, 32, 0, 0);
            if (count == 5) short(1, groups, left, ai + 4 * aRow, aRow, edge + 128, 32, 0, 0);
          }
          edgeTile(count, width, edge, ci, cRow, init, di);
          ai += 6 * aRow; ci += 6 * cRow; if (di) di += 6 * cRow;
        }
      } else {
        for (; i + 6 <= m; i += 6) {
          tall(groups, left, ai, aRow, ci, cRow, init, di);
          ai += 6 * aRow; ci += 6 * cRow; if (di) di += 6 * cRow;
        }
        for (; i < m; i += 4) {
          short(min(4, m - i), groups, left, ai, aRow, ci, cRow, init, di);
          ai += 4 * aRow; ci += 4 * cRow; if (di) di += 4 * cRow;
        }
      }
      from += steps;
      init = 0;
      source = c + offset;
    }
  }
}

/** C[count, width] = a tile of its sums (+ bias) (+ D). */
function edgeTile(
  count: i32, width: i32, tile: usize, c: usize, cRow: usize, bias: usize, d: usize,
): void {
  for (let i: i32 = 0; i < count; i++) {
    for (let l: usize = 0; l < <usize>width * 4; l += 4) {
      let sum = f32.load(tile + l);
      if (bias) sum += f32.load(bias + l);
      if (d) sum += f32.load(d + l);
      f32.store(c + l, sum);
    }
    tile += 32; c += cRow; if (d) d += cRow;
  }
}

/**
 * C[m, n] = A[m, k] · B[k, n] (+ bias[n]) (+ D[m, n]); 0 for what is absent. Value (i, j) of B lies at
 * b + i · bRow + j · bColumn, one of the two being 4. edge: ${EDGE_VALUES} values of scratch, needed where n is no
 * multiple of 8.
 */
export function product(
  m: i32, n: i32, k: i32, a: usize, b: usize, bRow: usize, bColumn: usize, c: usize, bias: usize, d: usize, edge: usize,
): void {
  rows(m, n, n, k, a, <usize>k * 4, b, bRow, bColumn, c, <usize>n * 4, bias, d, edge);
}

/**
 * C[n, k] += A[m, n]ᵀ · B[m, k]. edge: ${EDGE_VALUES} values of scratch. packed: ${PACKED_CHUNK} · n values of scratch in
 * which A is packed, or 0; long rows need it, since their starts would push each other out of the first cache. Up to
 * 28 bytes behind the last rows of A and B are read and not used.
 */
export function transposedProduct(
  m: i32, n: i32, k: i32, a: usize, b: usize, c: usize, edge: usize, packed: usize,
): void {
  const aRow = <usize>n * 4, bRow = <usize>k * 4;
  if (!packed) return gathered(m, n, k, a, aRow, 24, b, bRow, c, bRow, edge);
  for (let top: i32 = 0; top < m; top += ${PACKED_CHUNK}) {
    const count = min(${PACKED_CHUNK}, m - top), at = a + <usize>top * aRow;
    let to = packed;
    for (let i: i32 = 0; i < n; i += 6) {
      let from = at + <usize>i * 4;
      if (i + 6 <= n) {
        for (let row: i32 = 0; row < count; row++) {
          v128.store(to, v128.load(from));
          i64.store(to, i64.load(from, 16), 16);
          to += 24; from += aRow;
        }
      } else {
        for (let row: i32 = 0; row < count; row++) {
          memory.copy(to, from, <usize>(n - i) * 4);
          to += 24; from += aRow;
        }
      }
    }
    gathered(count, n, k, packed, 24, <usize>count * 24, b + <usize>top * bRow, bRow, c, bRow, edge);
  }
}

/** C[n, k] += A[m, n]ᵀ · B[m, k], rows at any distance; each 6 columns of A are \`aNext\` bytes behind the last 6. */
function gathered(
  m: i32, n: i32, k: i32, a: usize, aRow: usize, aNext: usize, b: usize, bRow: usize, c: usize, cRow: usize, edge: usize,
): void {
  for (let j: i32 = 0; j < k; j += 8) {
    const width = min(8, k - j);
    let from: i32 = 0;
    while (from < m) {
      const steps = stageOf(m - from), groups = steps >> 3, left = steps & 7;
      stageRows(groups, left, b + <usize>from * bRow + <usize>j * 4, bRow);
      let ai = a + <usize>from * aRow, ci = c + <usize>j * 4, i: i32 = 0;
      if (width == 8) {
        for (; i + 6 <= n; i += 6) {
          across6(groups, left, ai, aRow, ci, cRow, ci);
          ai += aNext; ci += 6 * cRow;
        }
        if (n - i == 4) across4(groups, left, ai, aRow, ci, cRow, ci);
        else if (n - i == 2) across2(groups, left, ai, aRow, ci, cRow, ci);
        if (!((n - i) & 1)) i = n;
      }
      for (; i < n; i += 6) {
        const count = min(6, n - i);
        if (count > 4) across6(groups, left, ai, aRow, edge, 32, 0);
        else across4(groups, left, ai, aRow, edge, 32, 0);
        edgeTile(count, width, edge, ci, cRow, 0, ci);
        ai += aNext; ci += 6 * cRow;
      }
      from += steps;
    }
  }
}

/** out[n] += the sum of the rows of A[m, n]. */
export function sumRows(m: i32, n: i32, a: usize, out: usize): void {
  const row = <usize>n * 4, whole = row & ~15;
  let j: usize = 0;
  for (; j + 64 <= whole; j += 64) {
    let s0 = v128.load(out + j), s1 = v128.load(out + j, 16), s2 = v128.load(out + j, 32), s3 = v128.load(out + j, 48);
    let at = a + j;
    for (let i: i32 = 0; i < m; i++) {
      s0 = f32x4.add(s0, v128.load(at)); s1 = f32x4.add(s1, v128.load(at, 16));
      s2 = f32x4.add(s2, v128.load(at, 32)); s3 = f32x4.add(s3, v128.load(at, 48));
      at += row;
    }
    v128.store(out + j, s0); v128.store(out + j, s1, 16); v128.store(out + j, s2, 32); v128.store(out + j, s3, 48);
  }
  for (; j < whole; j += 16) {
    let sum = v128.load(out + j), at = a + j;
    for (let i: i32 = 0; i < m; i++) { sum = f32x4.add(sum, v128.load(at)); at += row; }
    v128.store(out + j, sum);
  }
  for (; j < row; j += 4) {
    let sum = f32.load(out + j), at = a + j;
    for (let i: i32 = 0; i < m; i++) { sum += f32.load(at); at += row; }
    f32.store(out + j, sum);
  }
}
`;

/** Source of the products. */
export function products(relaxed: boolean): string {
  return lines(stagedTiles(relaxed), DRIVERS);
}
