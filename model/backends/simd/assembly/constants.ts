/**
 * Vector constants. They are mutable globals because V8 materialises a constant in every iteration of a loop, and
 * checks the bounds of a table in memory at every access.
 */

/** 1.5 · 2^23: adding it to |x| < 2^22 leaves round(x) in the low bits. */
export let ROUND: v128 = f32x4.splat(12582912);
/** Minimum argument of exp2. It returns 0 there, because the exponent bits of 2^-127 are 0. */
export let EXP2_MIN: v128 = f32x4.splat(-127);

/** 2^x on [-0.5, 0.5]: minimax polynomial of degree 5 with value 1 at 0, relative error 9.2e-8. */
export let EXP2_0: v128 = f32x4.splat(1);
export let EXP2_1: v128 = f32x4.splat(0.6931469775986011);
export let EXP2_2: v128 = f32x4.splat(0.2402224208445076);
export let EXP2_3: v128 = f32x4.splat(0.05550733743663537);
export let EXP2_4: v128 = f32x4.splat(0.009671512700185604);
export let EXP2_5: v128 = f32x4.splat(0.0013264727255736925);

export let ONE: v128 = f32x4.splat(1);
export let HALF: v128 = f32x4.splat(0.5);
export let SQRT1_2: v128 = f32x4.splat(0.7071067811865476);

/** -log2(e) / 2: exp(-x² / 2) = 2^(this · x²). */
export let DENSITY_EXPONENT: v128 = f32x4.splat(-0.7213475204444817);
/** 1 / sqrt(2π): the normal density at 0. */
export let DENSITY_AT_0: v128 = f32x4.splat(0.3989422804014327);

/** Error function, Abramowitz and Stegun 7.1.26. */
export let ERF_P: v128 = f32x4.splat(0.3275911);
export let ERF_1: v128 = f32x4.splat(0.254829592);
export let ERF_2: v128 = f32x4.splat(-0.284496736);
export let ERF_3: v128 = f32x4.splat(1.421413741);
export let ERF_4: v128 = f32x4.splat(-1.453152027);
export let ERF_5: v128 = f32x4.splat(1.061405429);
