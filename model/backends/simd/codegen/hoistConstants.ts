/**
 * Vector constants. V8 materialises a constant in every iteration of a loop, and fuses no pair of operations that read
 * vectors from globals. So the kernels keep them in local variables and pass them to the functions that they inline.
 *
 * @module
 */

/** Sets of constants by name. */
const SETS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  /** For `exp2`. */
  EXP2: {
    // Minimum argument. It returns 0 there, because the exponent bits of 2^-127 are 0.
    EXP2_MIN: -127,
    // 1.5 · 2^23: adding it to |x| < 2^22 leaves round(x) in the low bits.
    ROUND: 12582912,
    // 2^x on [-0.5, 0.5]: minimax polynomial of degree 5 with value 1 at 0, relative error 9.2e-8.
    EXP2_0: 1,
    EXP2_1: 0.6931469775986011,
    EXP2_2: 0.2402224208445076,
    EXP2_3: 0.05550733743663537,
    EXP2_4: 0.009671512700185604,
    EXP2_5: 0.0013264727255736925,
  },
  /** For `normalCdf`. */
  CDF: {
    ONE: 1,
    HALF: 0.5,
    SQRT1_2: Math.SQRT1_2,
    // Error function, Abramowitz and Stegun 7.1.26.
    ERF_P: 0.3275911,
    ERF_1: 0.254829592,
    ERF_2: -0.284496736,
    ERF_3: 1.421413741,
    ERF_4: -1.453152027,
    ERF_5: 1.061405429,
  },
};

/** Returns the constants of a set. @throws {SyntaxError} when there is no such set */
function constantsOf(name: string): [string, number][] {
  if (!Object.hasOwn(SETS, name)) throw new SyntaxError(`There are no constants ${name}`);
  return Object.entries(SETS[name]);
}

/**
 * Expands sets of constants in AssemblyScript source: the line `// #pragma constants(SET)` to declarations of local
 * variables, the parameter `...SET: v128[]` to one parameter for each constant, and the argument `...SET` likewise.
 */
export function hoistConstants(source: string): string {
  return source
    .replace(
      /^ *\/\/ #pragma constants\((\w+)\)$/gm,
      (_, set) =>
        constantsOf(set).map(([name, value]) => `const ${name} = f32x4.splat(${value});`).join("\n"),
    )
    .replace(
      /\.\.\.(\w+): v128\[\]/g,
      (_, set) => constantsOf(set).map(([name]) => `${name}: v128`).join(", "),
    )
    .replace(/\.\.\.([A-Z]\w*)/g, (_, set) => constantsOf(set).map(([name]) => name).join(", "));
}
