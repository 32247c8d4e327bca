/**
 * Numbers that the kernels use four at a time. They are globals: V8 would build a constant anew in every turn of a
 * loop, and check every access of a table in memory.
 *
 * @module
 */

/** Each constant's value. */
const VALUES = {
  // 1.5 · 2^23: added to |x| < 2^22 it leaves round(x) in the low bits.
  MAGIC: 12582912,
  // 2^-127 comes out as 0, since its exponent's bits are.
  LOWEST: -127,
  // 2^x on [-0.5, 0.5]: the polynomial of degree 5, 1 at 0, whose largest relative error (9.2e-8) is the least.
  E0: 1,
  E1: 0.6931469775986011,
  E2: 0.2402224208445076,
  E3: 0.05550733743663537,
  E4: 0.009671512700185604,
  E5: 0.0013264727255736925,
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

/** The expression for a constant. */
export function constant(name: ConstantName): string {
  return `K_${name}`;
}

/** Source of the constants: each value four times. */
export function constants(): string {
  return Object.entries(VALUES).map(([name, value]) => {
    const bits = new Int32Array(Float32Array.of(value).buffer)[0];
    return `let ${constant(name as ConstantName)}: v128 = i32x4(${Array(4).fill(bits).join(", ")});`;
  }).join("\n");
}
