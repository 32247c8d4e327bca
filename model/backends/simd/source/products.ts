/**
 * Matrix products of any size.
 *
 * @module
 */
import { STAGE, stagedTiles } from "./staged.ts";
import { lines } from "./write.ts";

/** Most rows of A that meet all of B before the next ones do: they stay in the second cache. */
const BLOCK = 102;
/** Columns of B and C that are done together: two cache lines. */
const SIDE = 32;
/** Rows and columns of A that a weight's gradient packs at once: they stay in the second cache. */
const PACKED_ROWS = 256, PACKED_COLUMNS = 96;

/** A width filled up to whole tiles. */
export const padded = (width: number): number => Math.ceil(width / 8) * 8;

/** Values of scratch that a product needs where it meets the edge of a matrix. */
export const EDGE_VALUES: number = 8 * 6;

/** Width from which a weight's gradient is packed on its way: measured. */
export const PACKED_FROM = 256;

/** Values of scratch with which a weight's gradient is packed on its way. */
export const PACKED_VALUES: number = PACKED_ROWS * PACKED_COLUMNS;

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
  if (m <= ${BLOCK}) return block(m, n, room, k, a, aRow, b, bRow, bColumn, c, cRow, bias, d, edge);
  const blocks = (m + ${BLOCK - 1}) / ${BLOCK}, size = (m + 6 * blocks - 1) / (6 * blocks) * 6;
  for (let top: i32 = 0; top < m; top += size) {
    const offset = <usize>top * cRow;
    block(
      min(size, m - top), n, room, k, a + <usize>top * aRow, aRow, b, bRow, bColumn, c + offset, cRow, bias,
      d ? d + offset : 0, edge,
    );
  }
}

/** The same of some rows. Panels of 8 columns that share cache lines of B and C take each stage in turn. */
function block(
  m: i32, n: i32, room: i32, k: i32, a: usize, aRow: usize, b: usize, bRow: usize, bColumn: usize, c: usize, cRow: usize,
  bias: usize, d: usize, edge: usize,
): void {
  for (let side: i32 = 0; side < n; side += ${SIDE}) {
    const end = min(side + ${SIDE}, n);
    let from: i32 = 0, source = d;
    while (from < k) {
      const steps = stageOf(k - from), groups = steps >> 3, left = steps & 7;
      const ai = a + <usize>from * 4, bi = b + <usize>from * bRow;
      for (let j: i32 = side; j < end; j += 8) {
        const offset = <usize>j * 4, at = bi + <usize>j * bColumn;
        if (bColumn == 4) stageRows(groups, left, at, bRow);
        else stageColumns(groups, left, min(8, n - j), at, bColumn);
        const init = bias && !from ? bias + offset : 0;
        panel(
          m, min(8, n - j), j + 8 <= room, groups, left, ai, aRow, c + offset, cRow, init, source ? source + offset : 0,
          edge,
        );
      }
      from += steps;
      source = c;
    }
  }
}

/** C[m, 8] = A · what is staged (+ bias[8]) (+ D[m, 8]); \`width\` of the 8 columns where not all \`fit\`. */
function panel(
  m: i32, width: i32, fit: bool, groups: i32, left: i32, a: usize, aRow: usize, c: usize, cRow: usize, bias: usize,
  d: usize, edge: usize,
): void {
  let i: i32 = 0;
  if (fit) {
    if (groups == 1 && !left && !bias && !d) {
      for (; i + 6 <= m; i += 6) { flat(a, aRow, c, cRow); a += 6 * aRow; c += 6 * cRow; }
    }
    for (; i + 6 <= m; i += 6) {
      tall(groups, left, a, aRow, c, cRow, bias, d);
      a += 6 * aRow; c += 6 * cRow; if (d) d += 6 * cRow;
    }
    for (; i < m; i += 4) {
      short(min(4, m - i), groups, left, a, aRow, c, cRow, bias, d);
      a += 4 * aRow; c += 4 * cRow; if (d) d += 4 * cRow;
    }
    return;
  }
  for (; i < m; i += 4) {
    const count = min(4, m - i);
    short(count, groups, left, a, aRow, edge, 32, 0, 0);
    edgeTile(count, width, edge, c, cRow, bias, d);
    a += 4 * aRow; c += 4 * cRow; if (d) d += 4 * cRow;
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
 * C[n, k] += A[m, n]ᵀ · B[m, k]. edge: ${EDGE_VALUES} values of scratch. packed: ${PACKED_VALUES} values of scratch in
 * which A is packed, or 0; long rows need it, since their starts would push each other out of the first cache. Up to
 * 28 bytes behind the last rows of A and B are read and not used. anew: C is written, not added to.
 */
export function transposedProduct(
  m: i32, n: i32, k: i32, a: usize, b: usize, c: usize, edge: usize, packed: usize, anew: bool,
): void {
  const aRow = <usize>n * 4, bRow = <usize>k * 4;
  if (!packed) return gathered(m, n, k, a, aRow, 24, b, bRow, c, bRow, edge, anew);
  for (let top: i32 = 0; top < m; top += ${PACKED_ROWS}) {
    const rows = min(${PACKED_ROWS}, m - top);
    for (let side: i32 = 0; side < n; side += ${PACKED_COLUMNS}) {
      const columns = min(${PACKED_COLUMNS}, n - side);
      packColumns(rows, columns, a + <usize>top * aRow + <usize>side * 4, aRow, packed);
      gathered(
        rows, columns, k, packed, 24, <usize>rows * 24, b + <usize>top * bRow, bRow, c + <usize>side * bRow, bRow, edge,
        anew && !top,
      );
    }
  }
}

/** Each 6 columns of A[m, n] one row behind the other. */
function packColumns(m: i32, n: i32, a: usize, aRow: usize, out: usize): void {
  for (let i: i32 = 0; i < n; i += 6) {
    let from = a + <usize>i * 4;
    if (i + 6 <= n) {
      for (let row: i32 = 0; row < m; row++) {
        v128.store(out, v128.load(from));
        i64.store(out, i64.load(from, 16), 16);
        out += 24; from += aRow;
      }
    } else {
      for (let row: i32 = 0; row < m; row++) {
        for (let l: usize = 0; l < <usize>(n - i) * 4; l += 4) f32.store(out + l, f32.load(from + l));
        out += 24; from += aRow;
      }
    }
  }
}

/** C[n, k] += A[m, n]ᵀ · B[m, k], rows at any distance; each 6 columns of A are \`aNext\` bytes behind the last 6. */
function gathered(
  m: i32, n: i32, k: i32, a: usize, aRow: usize, aNext: usize, b: usize, bRow: usize, c: usize, cRow: usize, edge: usize,
  anew: bool,
): void {
  for (let side: i32 = 0; side < k; side += ${SIDE}) {
    const end = min(side + ${SIDE}, k);
    let from: i32 = 0;
    while (from < m) {
      const steps = stageOf(m - from), groups = steps >> 3, left = steps & 7;
      const ai = a + <usize>from * aRow, bi = b + <usize>from * bRow;
      for (let j: i32 = side; j < end; j += 8) {
        stageRows(groups, left, bi + <usize>j * 4, bRow);
        columnPanel(n, min(8, k - j), groups, left, ai, aRow, aNext, c + <usize>j * 4, cRow, edge, anew && !from);
      }
      from += steps;
    }
  }
}

/** C[n, width] += Aᵀ · what is staged; = where it starts anew. */
function columnPanel(
  n: i32, width: i32, groups: i32, left: i32, a: usize, aRow: usize, aNext: usize, c: usize, cRow: usize, edge: usize,
  anew: bool,
): void {
  let i: i32 = 0;
  if (width == 8) {
    for (; i + 6 <= n; i += 6) {
      across6(groups, left, a, aRow, c, cRow, anew ? 0 : c);
      a += aNext; c += 6 * cRow;
    }
    const rest = n - i;
    if (rest == 4) across4(groups, left, a, aRow, c, cRow, anew ? 0 : c);
    else if (rest == 2) across2(groups, left, a, aRow, c, cRow, anew ? 0 : c);
    if (!(rest & 1)) return;
  }
  for (; i < n; i += 6) {
    const count = min(6, n - i);
    if (count > 4) across6(groups, left, a, aRow, edge, 32, 0);
    else across4(groups, left, a, aRow, edge, 32, 0);
    edgeTile(count, width, edge, c, cRow, 0, anew ? 0 : c);
    a += aNext; c += 6 * cRow;
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
