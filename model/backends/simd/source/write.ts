/**
 * How the kernels' AssemblyScript is written out: a loop that keeps its sums in registers has to be unrolled by hand.
 *
 * @module
 */

/** 0 … count - 1. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Lines of source. */
export const lines = (...parts: (string | string[])[]): string => parts.flat().join("\n");

/** Rows that go on side by side where each ends in a sum of its own: one alone would wait for it. */
const ABREAST = 4;

/**
 * A loop over `count` rows, some at a time, then one by one.
 *
 * @param count name of the variable that counts down
 * @param body of so many rows
 * @param advance what moves on behind so many rows
 */
export function rowsAbreast(
  count: string,
  body: (rows: number) => string,
  advance: (rows: number) => string[],
): string {
  return lines(
    [ABREAST, 1].map((rows) =>
      lines(`for (; ${count} >= ${rows}; ${count} -= ${rows}) {`, body(rows), advance(rows), "}")
    ),
  );
}

/** `sum = a · b + sum`, fused where the build has it (the relaxed SIMD proposal). */
export function madd(relaxed: boolean, a: string, b: string, sum: string): string {
  return `${sum} = ${fma(relaxed, a, b, sum)};`;
}

/** The expression `a · b + c`. */
export function fma(relaxed: boolean, a: string, b: string, c: string): string {
  return relaxed ? `f32x4.relaxed_madd(${a}, ${b}, ${c})` : `f32x4.add(${c}, f32x4.mul(${a}, ${b}))`;
}

/** A polynomial by Horner's rule, its coefficients from the highest power down. */
export function polynomial(relaxed: boolean, x: string, coefficients: readonly string[]): string {
  return coefficients.slice(1).reduce((sum, next) => fma(relaxed, sum, x, next), coefficients[0]);
}
