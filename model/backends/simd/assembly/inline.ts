// deno-fmt-ignore-file: deno fmt deletes the decorators.

/**
 * Functions that the compiler inlines. Their rest parameters are sets of constants (`codegen/hoistConstants.ts`).
 */
import { KC, K_UNROLL } from "./blockSizes";

/** a · b + c, fused in the relaxed SIMD build. */
// @ts-ignore: decorator
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(c, f32x4.mul(a, b));
}

/** 2^x with a relative error of 2e-7; 0 for x <= -127, NaN for NaN, undefined for x > 127. */
// @ts-ignore: decorator
@inline
export function exp2(x: v128, ...EXP2: v128[]): v128 {
  // pmax returns its first operand when that is NaN.
  const clamped = f32x4.pmax(x, EXP2_MIN);
  const rounded = f32x4.add(clamped, ROUND);
  const f = f32x4.sub(clamped, f32x4.sub(rounded, ROUND));
  const power = fma(fma(fma(fma(fma(EXP2_5, f, EXP2_4), f, EXP2_3), f, EXP2_2), f, EXP2_1), f, EXP2_0);
  return i32x4.add(power, i32x4.shl(rounded, 23));
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sum4(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Cumulative distribution function of the normal distribution, with an error of 1.5e-7, for g = exp(-x² / 2). */
// @ts-ignore: decorator
@inline
export function normalCdf(x: v128, g: v128, ...CDF: v128[]): v128 {
  const z = f32x4.mul(f32x4.abs(x), SQRT1_2);
  const t = f32x4.div(ONE, fma(z, ERF_P, ONE));
  const p = fma(fma(fma(fma(ERF_5, t, ERF_4), t, ERF_3), t, ERF_2), t, ERF_1);
  // The upper tail 1 - cdf(|x|) is the result for a negative x.
  const tail = f32x4.mul(f32x4.mul(f32x4.mul(p, t), g), HALF);
  return v128.bitselect(tail, f32x4.sub(ONE, tail), f32x4.lt(x, f32x4.splat(0)));
}

/**
 * Steps of the next block of k when `k` steps remain: `limit`, a multiple of KC, or the rest, which can have K_UNROLL - 1
 * steps more.
 */
// @ts-ignore: decorator
@inline
export function blockDepth(k: i32, limit: i32): i32 {
  return k < limit + K_UNROLL ? k : limit;
}

/** Steps of the next panel of B when `k` steps remain: those of a partial sum of a product. */
// @ts-ignore: decorator
@inline
export function panelDepth(k: i32): i32 {
  return blockDepth(k, KC);
}
