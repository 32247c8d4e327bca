import { bell, geluDerivative, normalCdf } from "./inline";

/** Exact GELU of x[n], and its derivative. */
export function gelu(n: i32, x: usize, out: usize, derivative: usize): void {
  const end = x + <usize> n * 4;
  for (; x + 16 <= end; x += 16) {
    const v = v128.load(x), b = bell(v), cdf = normalCdf(v, b);
    v128.store(out, f32x4.mul(v, cdf));
    v128.store(derivative, geluDerivative(v, b, cdf));
    out += 16;
    derivative += 16;
  }
  for (; x < end; x += 4) {
    const v = v128.load32_splat(x), b = bell(v), cdf = normalCdf(v, b);
    f32.store(out, f32x4.extract_lane(f32x4.mul(v, cdf), 0));
    f32.store(derivative, f32x4.extract_lane(geluDerivative(v, b, cdf), 0));
    out += 4;
    derivative += 4;
  }
}
