/**
 * The compact layout: 8 matrices of equal shape are interleaved, so that an element is a vector of 8 lanes
 * (`codegen/compactKernel.ts`). `lanes` is a table with the offsets of the 8 matrices as 64-bit integers.
 */
import { LANES } from "./blockSizes";

/** Bytes of an element. */
export const ELEMENT: usize = LANES * 4;

/** Bytes of an entry of a table of lanes. */
export const LANE_ENTRY: usize = 8;

/**
 * Packs x[rows, columns] of 8 lanes. Element (i, j) goes to out + j / 2 · pair + j % 2 · step + i / 2 · (evenRow + oddRow)
 * + i % 2 · evenRow.
 */
function pack(
  lanes: usize,
  rows: i32,
  columns: i32,
  x: usize,
  row: usize,
  out: usize,
  step: usize,
  pair: usize,
  evenRow: usize,
  oddRow: usize,
): void {
  for (let half: i32 = 0; half < 2; half++) {
    let x0 = x + <usize> load<u64>(lanes), x1 = x + <usize> load<u64>(lanes, LANE_ENTRY);
    let x2 = x + <usize> load<u64>(lanes, 2 * LANE_ENTRY), x3 = x + <usize> load<u64>(lanes, 3 * LANE_ENTRY);
    let j: i32 = 0, column = out;
    for (; j + 4 <= columns; j += 4) {
      let from: usize = 0, to = column, to2 = column + pair, advance = evenRow, next = oddRow;
      for (let i: i32 = 0; i < rows; i++) {
        const l0 = v128.load(x0 + from), l1 = v128.load(x1 + from);
        const l2 = v128.load(x2 + from), l3 = v128.load(x3 + from);
        const t0 = v128.shuffle<f32>(l0, l1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(l2, l3, 0, 4, 1, 5);
        const t2 = v128.shuffle<f32>(l0, l1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(l2, l3, 2, 6, 3, 7);
        v128.store(to, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
        v128.store(to + step, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
        v128.store(to2, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
        v128.store(to2 + step, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
        from += row;
        to += advance;
        to2 += advance;
        const swap = advance;
        advance = next;
        next = swap;
      }
      x0 += 16;
      x1 += 16;
      x2 += 16;
      x3 += 16;
      column += 2 * pair;
    }
    for (; j < columns; j++) {
      let from: usize = 0, to = out + <usize> (j >> 1) * pair + <usize> (j & 1) * step;
      let advance = evenRow, next = oddRow;
      for (let i: i32 = 0; i < rows; i++) {
        f32.store(to, f32.load(x0 + from));
        f32.store(to, f32.load(x1 + from), 4);
        f32.store(to, f32.load(x2 + from), 8);
        f32.store(to, f32.load(x3 + from), 12);
        from += row;
        to += advance;
        const swap = advance;
        advance = next;
        next = swap;
      }
      x0 += 4;
      x1 += 4;
      x2 += 4;
      x3 += 4;
    }
    lanes += 4 * LANE_ENTRY;
    out += 16;
  }
}

/** Unpacks x[rows, columns] of 8 lanes: x(i, j) comes from the element at from + j · step + i · fromRow. */
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
  for (let half: i32 = 0; half < 2; half++) {
    let x0 = x + <usize> load<u64>(lanes), x1 = x + <usize> load<u64>(lanes, LANE_ENTRY);
    let x2 = x + <usize> load<u64>(lanes, 2 * LANE_ENTRY), x3 = x + <usize> load<u64>(lanes, 3 * LANE_ENTRY);
    let j: i32 = 0, column = from;
    for (; j + 4 <= columns; j += 4) {
      let to: usize = 0, source = column, source2 = column + 2 * step;
      for (let i: i32 = 0; i < rows; i++) {
        const l0 = v128.load(source), l1 = v128.load(source + step);
        const l2 = v128.load(source2), l3 = v128.load(source2 + step);
        const t0 = v128.shuffle<f32>(l0, l1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(l2, l3, 0, 4, 1, 5);
        const t2 = v128.shuffle<f32>(l0, l1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(l2, l3, 2, 6, 3, 7);
        v128.store(x0 + to, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
        v128.store(x1 + to, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
        v128.store(x2 + to, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
        v128.store(x3 + to, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
        source += fromRow;
        source2 += fromRow;
        to += row;
      }
      x0 += 16;
      x1 += 16;
      x2 += 16;
      x3 += 16;
      column += 4 * step;
    }
    for (; j < columns; j++) {
      let to: usize = 0, source = column;
      for (let i: i32 = 0; i < rows; i++) {
        f32.store(x0 + to, f32.load(source));
        f32.store(x1 + to, f32.load(source, 4));
        f32.store(x2 + to, f32.load(source, 8));
        f32.store(x3 + to, f32.load(source, 12));
        source += fromRow;
        to += row;
      }
      x0 += 4;
      x1 += 4;
      x2 += 4;
      x3 += 4;
      column += step;
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

/** Packs x[rows, columns] into panels of two rows, each by columns. */
export function packRows(lanes: usize, rows: i32, columns: i32, x: usize, row: usize, out: usize): void {
  const even = rows & -2, panel = <usize> columns * (2 * ELEMENT);
  pack(lanes, even, columns, x, row, out, 2 * ELEMENT, 4 * ELEMENT, ELEMENT, panel - ELEMENT);
  if (rows > even) {
    packPanel(lanes, 1, columns, x + <usize> even * row, row, out + <usize> (even >> 1) * panel);
  }
}

/** Packs x[rows, columns] into panels of two columns, each by rows. */
export function packColumns(lanes: usize, rows: i32, columns: i32, x: usize, row: usize, out: usize): void {
  const even = columns & -2, outRow = 2 * ELEMENT, panel = <usize> rows * outRow;
  pack(lanes, rows, even, x, row, out, ELEMENT, panel, outRow, outRow);
  if (columns > even) packPanel(lanes, rows, 1, x + <usize> even * 4, row, out + <usize> (even >> 1) * panel);
}
