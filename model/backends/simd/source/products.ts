/**
 * Matrix products. 6 rows of 8 columns are 12 sums, 2 values of B and one of A, which is all that 16 registers hold.
 *
 * @module
 */
import { lines, madd, range } from "./write.ts";

/** Rows that a product's inner loop keeps in registers. */
const ROWS = 6;
/** Rows of A that go through all of B before the next ones: they stay in the first cache. */
const BLOCK = 48;
/** Rows that a weight's gradient sums before its tile is written back: both operands stay in the first cache. */
const CHUNK = 64;
/** The same where operands are packed. */
const PACKED_CHUNK = 256;
/** A width filled up to whole panels. */
export const padded = (width: number): number => Math.ceil(width / 8) * 8;

/** Values of scratch that a product needs where its width is no multiple of 8. */
export const EDGE_VALUES: number = 8 * ROWS;

/**
 * `C[rows, 8] = A[rows, k] · B[k, 8] (+ bias[8]) (+ D[rows, 8])` with B packed: 8 values of each k one behind the
 * other. D's rows lie at the distance of C's.
 */
function tile(rows: number, relaxed: boolean): string {
  const step = (at: number) => [
    `const b0 = v128.load(b, ${32 * at}), b1 = v128.load(b, ${32 * at + 16});`,
    ...range(rows).flatMap((r) => [
      `const v${r} = v128.load32_splat(a${r}, ${4 * at});`,
      madd(relaxed, `v${r}`, "b0", `s${r}0`),
      madd(relaxed, `v${r}`, "b1", `s${r}1`),
    ]),
  ];
  return lines(
    `function tile${rows}(k: i32, a: usize, aRow: usize, b: usize, c: usize, cRow: usize, bias: usize, d: usize): void {`,
    "let i0 = f32x4.splat(0), i1 = f32x4.splat(0);",
    "if (bias) { i0 = v128.load(bias); i1 = v128.load(bias, 16); }",
    range(rows).map((r) => `let s${r}0 = i0, s${r}1 = i1, a${r} = a + ${r} * aRow;`),
    "if (d) {",
    range(rows).map((r) =>
      `s${r}0 = f32x4.add(s${r}0, v128.load(d + ${r} * cRow)); s${r}1 = f32x4.add(s${r}1, v128.load(d + ${r} * cRow, 16));`
    ),
    "}",
    "for (; k >= 4; k -= 4) {",
    range(4).flatMap((at) => ["{", ...step(at), "}"]),
    "b += 128;",
    range(rows).map((r) => `a${r} += 16;`),
    "}",
    "for (; k > 0; k--) {",
    step(0),
    "b += 32;",
    range(rows).map((r) => `a${r} += 4;`),
    "}",
    range(rows).flatMap((r) => [`v128.store(c, s${r}0); v128.store(c, s${r}1, 16);`, "c += cRow;"]),
    "}",
  );
}

/** `C[rows, 8] += A[m, rows]ᵀ · B[m, 8]`, both read row by row. */
function transposedTile(count: number, relaxed: boolean): string {
  const rows = range(count);
  const step = (aOffset: string, bOffset: string) => [
    `const b0 = v128.load(b${bOffset}), b1 = v128.load(b${bOffset}, 16);`,
    ...rows.flatMap((r) => [
      `const v${r} = v128.load32_splat(a${aOffset}, ${4 * r});`,
      madd(relaxed, `v${r}`, "b0", `s${r}0`),
      madd(relaxed, `v${r}`, "b1", `s${r}1`),
    ]),
  ];
  return lines(
    `function transposed${count}(m: i32, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize): void {`,
    rows.map((r) =>
      `const c${r} = c + ${r} * cRow; let s${r}0 = v128.load(c${r}), s${r}1 = v128.load(c${r}, 16);`
    ),
    "for (; m >= 2; m -= 2) {",
    "{",
    step("", ""),
    "}",
    "a += aRow; b += bRow;",
    "{",
    step("", ""),
    "}",
    "a += aRow; b += bRow;",
    "}",
    "if (m > 0) {",
    step("", ""),
    "}",
    rows.map((r) => `v128.store(c${r}, s${r}0); v128.store(c${r}, s${r}1, 16);`),
    "}",
  );
}

/** The same for 6 rows, both operands packed: 6 values of A and 8 of B of each row one behind the other. */
function packedTile(relaxed: boolean): string {
  const rows = range(6);
  const step = (at: number) => [
    `const b0 = v128.load(b, ${32 * at}), b1 = v128.load(b, ${32 * at + 16});`,
    ...rows.flatMap((r) => [
      `const v${r} = v128.load32_splat(a, ${24 * at + 4 * r});`,
      madd(relaxed, `v${r}`, "b0", `s${r}0`),
      madd(relaxed, `v${r}`, "b1", `s${r}1`),
    ]),
  ];
  return lines(
    "function packed6(m: i32, a: usize, b: usize, c: usize, cRow: usize): void {",
    rows.map((r) =>
      `const c${r} = c + ${r} * cRow; let s${r}0 = v128.load(c${r}), s${r}1 = v128.load(c${r}, 16);`
    ),
    "for (; m >= 4; m -= 4) {",
    range(4).flatMap((at) => ["{", ...step(at), "}"]),
    "a += 96; b += 128;",
    "}",
    "for (; m > 0; m--) {",
    step(0),
    "a += 24; b += 32;",
    "}",
    rows.map((r) => `v128.store(c${r}, s${r}0); v128.store(c${r}, s${r}1, 16);`),
    "}",
  );
}

/** Width from which a weight's gradient is packed on its way: measured. */
export const PACKED_FROM = 256;

/** Values of scratch with which a weight's gradient `[n, k]` is packed on its way. */
export const packedValues = (n: number): number => PACKED_CHUNK * (n + 8);

/** `switch` over 1 … most rows. */
const byRows = (most: number, value: string, call: (rows: number) => string) =>
  lines(
    `switch (${value}) {`,
    range(most).map((r) => `case ${r + 1}: ${call(r + 1)} break;`),
    "}",
  );

const DRIVERS = `
/** Panels of 8 columns: value (k, j) of B lies at b + k · bRow + j · bColumn; zeros fill the last panel up. */
export function pack(n: i32, k: i32, b: usize, bRow: usize, bColumn: usize, out: usize): void {
  for (let j: i32 = 0; j < n; j += 8) {
    const column = b + <usize>j * bColumn, width = <usize>min(8, n - j);
    if (width == 8 && bColumn == 4) {
      let at = column;
      for (let i: i32 = 0; i < k; i++) {
        v128.store(out, v128.load(at)); v128.store(out, v128.load(at, 16), 16);
        at += bRow; out += 32;
      }
    } else if (width == 8 && bRow == 4) {
      let i: i32 = 0;
      for (; i + 4 <= k; i += 4) {
        for (let half: usize = 0; half < 2; half++) {
          const at = column + <usize>i * 4 + half * 4 * bColumn;
          const r0 = v128.load(at), r1 = v128.load(at + bColumn);
          const r2 = v128.load(at + 2 * bColumn), r3 = v128.load(at + 3 * bColumn);
          const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
          const t2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
          const o = out + half * 16;
          v128.store(o, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
          v128.store(o, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7), 32);
          v128.store(o, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5), 64);
          v128.store(o, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7), 96);
        }
        out += 128;
      }
      for (; i < k; i++) {
        for (let l: usize = 0; l < 8; l++) f32.store(out + 4 * l, f32.load(column + <usize>i * 4 + l * bColumn));
        out += 32;
      }
    } else {
      for (let i: i32 = 0; i < k; i++) {
        const at = column + <usize>i * bRow;
        for (let l: usize = 0; l < 8; l++) f32.store(out + 4 * l, l < width ? f32.load(at + l * bColumn) : 0);
        out += 32;
      }
    }
  }
}

/** One tile of up to ${ROWS} rows and fewer than 8 columns, by way of the scratch \`edge\`. */
function edgeTile(
  count: i32, width: i32, k: i32, a: usize, aRow: usize, b: usize, c: usize, cRow: usize, bias: usize, d: usize,
  edge: usize,
): void {
${byRows(ROWS, "count", (r) => `tile${r}(k, a, aRow, b, edge, 32, 0, 0);`)}
  for (let i: i32 = 0; i < count; i++) {
    for (let l: usize = 0; l < <usize>width * 4; l += 4) {
      let sum = f32.load(edge + <usize>i * 32 + l);
      if (bias) sum += f32.load(bias + l);
      if (d) sum += f32.load(d + <usize>i * cRow + l);
      f32.store(c + <usize>i * cRow + l, sum);
    }
  }
}

/** C[m, n] = A[m, k] · B (+ bias[n]) (+ D[m, n]), B packed; rows of A and C at any distance, 0 for what is absent. */
function rows(
  m: i32, n: i32, k: i32, a: usize, aRow: usize, packed: usize, c: usize, cRow: usize, bias: usize, d: usize,
  edge: usize,
): void {
  const panel = <usize>k * 32;
  for (let top: i32 = 0; top < m; top += ${BLOCK}) {
    const end = min(top + ${BLOCK}, m);
    for (let j: i32 = 0; j < n; j += 8) {
      const b = packed + <usize>(j >> 3) * panel, bj = bias ? bias + <usize>j * 4 : 0;
      let ai = a + <usize>top * aRow;
      const offset = <usize>top * cRow + <usize>j * 4;
      let ci = c + offset, di = d ? d + offset : 0;
      let i = top;
      if (j + 8 > n) {
        for (; i < end; i += ${ROWS}) {
          edgeTile(min(${ROWS}, end - i), n - j, k, ai, aRow, b, ci, cRow, bj, di, edge);
          ai += ${ROWS} * aRow; ci += ${ROWS} * cRow; if (d) di += ${ROWS} * cRow;
        }
        continue;
      }
      for (; i + ${ROWS} <= end; i += ${ROWS}) {
        tile${ROWS}(k, ai, aRow, b, ci, cRow, bj, di);
        ai += ${ROWS} * aRow; ci += ${ROWS} * cRow; if (d) di += ${ROWS} * cRow;
      }
${byRows(ROWS - 1, "end - i", (r) => `tile${r}(k, ai, aRow, b, ci, cRow, bj, di);`)}
    }
  }
}

/**
 * C[m, n] = A[m, k] · B (+ bias[n]) (+ D[m, n]), B packed, 0 for what is absent. edge: ${EDGE_VALUES} values of
 * scratch, needed where n is no multiple of 8.
 */
export function product(
  m: i32, n: i32, k: i32, a: usize, packed: usize, c: usize, bias: usize, d: usize, edge: usize,
): void {
  rows(m, n, k, a, <usize>k * 4, packed, c, <usize>n * 4, bias, d, edge);
}

/** C[height, width] += A[m, height]ᵀ · B[m, width], height up to 6 and width up to 8, by way of \`edge\`. */
function edgeTransposed(
  height: i32, width: i32, m: i32, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize, edge: usize,
): void {
  memory.fill(edge, 0, ${4 * EDGE_VALUES});
${byRows(6, "height", (r) => `transposed${r}(m, a, aRow, b, bRow, edge, 32);`)}
  for (let i: i32 = 0; i < height; i++) {
    for (let l: usize = 0; l < <usize>width * 4; l += 4) {
      const at = c + <usize>i * cRow + l;
      f32.store(at, f32.load(at) + f32.load(edge + <usize>i * 32 + l));
    }
  }
}

/**
 * C[n, k] += A[m, n]ᵀ · B[m, k]. edge: ${EDGE_VALUES} values of scratch, needed where k is no multiple of 8. packed:
 * ${PACKED_CHUNK} · (n + 8) values of scratch in which operands are packed, or 0; long rows need it, since their starts would
 * push each other out of the first cache.
 */
export function transposedProduct(
  m: i32, n: i32, k: i32, a: usize, b: usize, c: usize, edge: usize, packed: usize,
): void {
  const aRow = <usize>n * 4, bRow = <usize>k * 4;
  if (!packed) return gathered(m, n, k, a, aRow, b, bRow, c, bRow, edge);
  const groups = n / 6, whole = groups * 6, panel = packed + <usize>(${PACKED_CHUNK} * whole) * 4;
  for (let top: i32 = 0; top < m; top += ${PACKED_CHUNK}) {
    const count = min(${PACKED_CHUNK}, m - top);
    const at = a + <usize>top * aRow, bt = b + <usize>top * bRow;
    let to = packed;
    for (let g: i32 = 0; g < groups; g++) {
      let from = at + <usize>g * 24;
      for (let i: i32 = 0; i < count; i++) {
        v128.store(to, v128.load(from));
        i64.store(to, i64.load(from, 16), 16);
        to += 24; from += aRow;
      }
    }
    let j: i32 = 0;
    for (; j + 8 <= k; j += 8) {
      let from = bt + <usize>j * 4, into = panel;
      for (let i: i32 = 0; i < count; i++) {
        v128.store(into, v128.load(from)); v128.store(into, v128.load(from, 16), 16);
        into += 32; from += bRow;
      }
      let cj = c + <usize>j * 4, ag = packed;
      for (let g: i32 = 0; g < groups; g++) {
        packed6(count, ag, panel, cj, bRow);
        ag += <usize>count * 24; cj += 6 * bRow;
      }
      if (whole < n) {
        const last = at + <usize>whole * 4;
${byRows(5, "n - whole", (r) => `transposed${r}(count, last, aRow, panel, 32, cj, bRow);`)}
      }
    }
    if (j < k) {
      for (let i: i32 = 0; i < n; i += 6) {
        edgeTransposed(min(6, n - i), k - j, count, at + <usize>i * 4, aRow, bt + <usize>j * 4, bRow,
          c + <usize>i * bRow + <usize>j * 4, bRow, edge);
      }
    }
  }
}

/** C[n, k] += A[m, n]ᵀ · B[m, k], rows at any distance. Up to 28 bytes behind B's last row are read and not used. */
function gathered(
  m: i32, n: i32, k: i32, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize, edge: usize,
): void {
  for (let top: i32 = 0; top < m; top += ${CHUNK}) {
    const count = min(${CHUNK}, m - top);
    const at = a + <usize>top * aRow, bt = b + <usize>top * bRow;
    for (let i: i32 = 0; i < n; i += 6) {
      const height = min(6, n - i), ai = at + <usize>i * 4;
      let ci = c + <usize>i * cRow, bj = bt, j: i32 = 0;
      if (height == 6) {
        for (; j + 8 <= k; j += 8) { transposed6(count, ai, aRow, bj, bRow, ci, cRow); bj += 32; ci += 32; }
      } else {
        for (; j + 8 <= k; j += 8) {
${byRows(5, "height", (r) => `transposed${r}(count, ai, aRow, bj, bRow, ci, cRow);`)}
          bj += 32; ci += 32;
        }
      }
      if (j < k) edgeTransposed(height, k - j, count, ai, aRow, bj, bRow, ci, cRow, edge);
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
  return lines(
    ...range(ROWS).map((r) => tile(r + 1, relaxed)),
    ...range(6).map((r) => transposedTile(r + 1, relaxed)),
    packedTile(relaxed),
    DRIVERS,
  );
}
