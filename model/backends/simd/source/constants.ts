/**
 * Numbers that the kernels load four at a time: V8 would build a constant anew in every turn of a loop.
 *
 * @module
 */

/** Each constant's place in the table, and its value. */
const VALUES = {
  // 1.5 · 2^23: added to |x| < 2^22 it leaves round(x) in the low bits.
  MAGIC: 12582912,
  // 2^-127 comes out as 0, since its exponent's bits are.
  LOWEST: -127,
  // 2^x on [-0.5, 0.5] (Cephes, exp2f).
  E0: 1,
  E1: 6.931472028550421e-1,
  E2: 2.402264791363012e-1,
  E3: 5.550332471162809e-2,
  E4: 9.618437357674640e-3,
  E5: 1.339887440266574e-3,
  E6: 1.535336188319500e-4,
  ONE: 1,
  HALF: 0.5,
  SQRT1_2: Math.SQRT1_2,
  // -log2(e) / 2: a normal density's exponent.
  BELL: -Math.LOG2E / 2,
  // Abramowitz & Stegun 7.1.26.
  ERF_P: 0.3275911,
  ERF_1: 0.254829592,
  ERF_2: -0.284496736,
  ERF_3: 1.421413741,
  ERF_4: -1.453152027,
  ERF_5: 1.061405429,
  // 1 / sqrt(2 · pi)
  DENSITY: 0.3989422804014327,
} as const;

/** Name of a constant. */
export type ConstantName = keyof typeof VALUES;

const NAMES = Object.keys(VALUES) as ConstantName[];

/** Bytes of the table. */
export const CONSTANTS_BYTES: number = 16 * NAMES.length;

/** The expression for a constant, where `table` is the table's address. */
export function constant(name: ConstantName): string {
  return `v128.load(table, ${16 * NAMES.indexOf(name)})`;
}

/** The table: each value four times. */
export function constantsTable(): Float32Array<ArrayBuffer> {
  return Float32Array.from(NAMES.flatMap((name) => Array(4).fill(VALUES[name])));
}
