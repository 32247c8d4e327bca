import { exp2, fma, normalCdf } from "./inline";

/** Exact GELU of x[n], and its derivative. */
export function gelu(n: i32, x: usize, out: usize, derivative: usize): void {
  // #pragma constants(EXP2)
  // #pragma constants(CDF)
  // exp(-x² / 2) = 2^(exponent · x²): the normal density without its factor, 1 / sqrt(2π).
  const exponent = f32x4.splat(-0.7213475204444817), density = f32x4.splat(0.3989422804014327);
  const end = x + <usize> n * 4;
  for (; x + 32 <= end; x += 32) {
    const v0 = v128.load(x), v1 = v128.load(x, 16);
    const g0 = exp2(f32x4.mul(f32x4.mul(v0, v0), exponent), ...EXP2);
    const g1 = exp2(f32x4.mul(f32x4.mul(v1, v1), exponent), ...EXP2);
    const cdf0 = normalCdf(v0, g0, ...CDF), cdf1 = normalCdf(v1, g1, ...CDF);
    v128.store(out, f32x4.mul(v0, cdf0));
    v128.store(out, f32x4.mul(v1, cdf1), 16);
    v128.store(derivative, fma(v0, f32x4.mul(g0, density), cdf0));
    v128.store(derivative, fma(v1, f32x4.mul(g1, density), cdf1), 16);
    out += 32;
    derivative += 32;
  }
  for (; x < end; x += 4) {
    const v = v128.load32_splat(x), g = exp2(f32x4.mul(f32x4.mul(v, v), exponent), ...EXP2);
    const cdf = normalCdf(v, g, ...CDF);
    f32.store(out, f32x4.extract_lane(f32x4.mul(v, cdf), 0));
    f32.store(derivative, f32x4.extract_lane(fma(v, f32x4.mul(g, density), cdf), 0));
    out += 4;
    derivative += 4;
  }
}
