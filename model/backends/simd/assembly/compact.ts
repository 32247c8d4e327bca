/**
 * The compact layout: 8 matrices of equal shape are interleaved, so that an element is a vector of 8 lanes
 * (`codegen/compactKernel.ts`). `lanes` is a table with the offsets of the 8 matrices as 64-bit integers.
 */
import { COMPACT_COLUMNS, LANES } from "./blockSizes";

/** Bytes of an element. */
export const ELEMENT: usize = LANES * 4;

/** Bytes of an entry of a table of lanes. */
export const LANE_ENTRY: usize = 8;

/**
 * Packs x[rows, columns] of 8 lanes. Element (i, j) goes to out + j / 2 · pair + j % 2 · step + i · outRow. If the number
 * of columns is odd, i · lastRow replaces i · outRow for the last one.
 */
export function pack(
  lanes: usize,
  rows: i32,
  columns: i32,
  x: usize,
  row: usize,
  out: usize,
  step: usize,
  pair: usize,
  outRow: usize,
  lastRow: usize,
): void {
  const whole = columns & -4;
  for (let half: i32 = 0; half < 2; half++) {
    let x0 = x + <usize> load<u64>(lanes), x1 = x + <usize> load<u64>(lanes, LANE_ENTRY);
    let x2 = x + <usize> load<u64>(lanes, 2 * LANE_ENTRY), x3 = x + <usize> load<u64>(lanes, 3 * LANE_ENTRY);
    for (let i: i32 = 0; i < rows; i++) {
      let to = out + <usize> i * outRow, j: usize = 0;
      for (let n = whole; n > 0; n -= 4) {
        const l0 = v128.load(x0 + j), l1 = v128.load(x1 + j), l2 = v128.load(x2 + j), l3 = v128.load(x3 + j);
        const t0 = v128.shuffle<f32>(l0, l1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(l2, l3, 0, 4, 1, 5);
        const t2 = v128.shuffle<f32>(l0, l1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(l2, l3, 2, 6, 3, 7);
        v128.store(to, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
        v128.store(to + step, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
        to += pair;
        v128.store(to, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
        v128.store(to + step, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
        to += pair;
        j += 16;
      }
      for (let n = whole; n < columns; n++) {
        const single = !(n & 1) && n == columns - 1;
        to = out + <usize> (n >> 1) * pair + <usize> (n & 1) * step + <usize> i * (single ? lastRow : outRow);
        f32.store(to, f32.load(x0 + j));
        f32.store(to, f32.load(x1 + j), 4);
        f32.store(to, f32.load(x2 + j), 8);
        f32.store(to, f32.load(x3 + j), 12);
        j += 4;
      }
      x0 += row;
      x1 += row;
      x2 += row;
      x3 += row;
    }
    lanes += 4 * LANE_ENTRY;
    out += 16;
  }
}

/** The inverse of `pack`: x(i, j) from the element at in + j · step + i · inRow. */
export function unpack(
  lanes: usize,
  rows: i32,
  columns: i32,
  from: usize,
  step: usize,
  fromRow: usize,
  x: usize,
  row: usize,
): void {
  const whole = columns & -4;
  for (let half: i32 = 0; half < 2; half++) {
    let x0 = x + <usize> load<u64>(lanes), x1 = x + <usize> load<u64>(lanes, LANE_ENTRY);
    let x2 = x + <usize> load<u64>(lanes, 2 * LANE_ENTRY), x3 = x + <usize> load<u64>(lanes, 3 * LANE_ENTRY);
    for (let i: i32 = 0; i < rows; i++) {
      let source = from + <usize> i * fromRow, j: usize = 0;
      for (let n = whole; n > 0; n -= 4) {
        const l0 = v128.load(source), l1 = v128.load(source + step);
        source += 2 * step;
        const l2 = v128.load(source), l3 = v128.load(source + step);
        source += 2 * step;
        const t0 = v128.shuffle<f32>(l0, l1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(l2, l3, 0, 4, 1, 5);
        const t2 = v128.shuffle<f32>(l0, l1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(l2, l3, 2, 6, 3, 7);
        v128.store(x0 + j, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
        v128.store(x1 + j, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
        v128.store(x2 + j, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
        v128.store(x3 + j, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
        j += 16;
      }
      for (let n = whole; n < columns; n++) {
        f32.store(x0 + j, f32.load(source));
        f32.store(x1 + j, f32.load(source, 4));
        f32.store(x2 + j, f32.load(source, 8));
        f32.store(x3 + j, f32.load(source, 12));
        source += step;
        j += 4;
      }
      x0 += row;
      x1 += row;
      x2 += row;
      x3 += row;
    }
    lanes += 4 * LANE_ENTRY;
    from += 16;
  }
}

/** Packs x[rows, columns] by columns: out[columns, rows], a panel of a product's left side. */
export function packPanel(lanes: usize, rows: i32, columns: i32, x: usize, row: usize, out: usize): void {
  const step = <usize> rows * ELEMENT;
  pack(lanes, rows, columns, x, row, out, step, 2 * step, ELEMENT, ELEMENT);
}

/** Packs x[rows, columns] into panels of COMPACT_COLUMNS rows, each by columns. */
export function packRows(lanes: usize, rows: i32, columns: i32, x: usize, row: usize, out: usize): void {
  for (let i: i32 = 0; i < rows; i += COMPACT_COLUMNS) {
    const count = min(COMPACT_COLUMNS, rows - i);
    packPanel(lanes, count, columns, x + <usize> i * row, row, out + <usize> (i * columns) * ELEMENT);
  }
}

/** Packs x[rows, columns] into panels of COMPACT_COLUMNS columns, each by rows. */
export function packColumns(lanes: usize, rows: i32, columns: i32, x: usize, row: usize, out: usize): void {
  const outRow = COMPACT_COLUMNS * ELEMENT;
  pack(lanes, rows, columns, x, row, out, ELEMENT, <usize> rows * outRow, outRow, ELEMENT);
}
