import { gaussian, geluDerivative, normalCdf } from "./inline";

/** Exact GELU of x[n], and its derivative. */
export function gelu(n: i32, x: usize, out: usize, derivative: usize): void {
  const end = x + <usize> n * 4;
  for (; x + 16 <= end; x += 16) {
    const v = v128.load(x), g = gaussian(v), cdf = normalCdf(v, g);
    v128.store(out, f32x4.mul(v, cdf));
    v128.store(derivative, geluDerivative(v, g, cdf));
    out += 16;
    derivative += 16;
  }
  for (; x < end; x += 4) {
    const v = v128.load32_splat(x), g = gaussian(v), cdf = normalCdf(v, g);
    f32.store(out, f32x4.extract_lane(f32x4.mul(v, cdf), 0));
    f32.store(derivative, f32x4.extract_lane(geluDerivative(v, g, cdf), 0));
    out += 4;
    derivative += 4;
  }
}
