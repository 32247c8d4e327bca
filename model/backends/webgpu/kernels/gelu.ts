import { elementwise } from "../program.ts";

/**
 * WGSL function that returns GELU and its derivative. The error function is an approximation (Abramowitz & Stegun
 * 7.1.26, error 1.5e-7) whose exponential also gives the density.
 */
export const GELU_FUNCTION = `
fn gelu(v: f32) -> vec2<f32> {
  let z = abs(v) * ${Math.SQRT1_2};
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let density = exp(-z * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let tail = 0.5 * series * density;
  let cdf = select(1.0 - tail, tail, v < 0.0);
  return vec2(v * cdf, cdf + v * density * ${1 / Math.sqrt(2 * Math.PI)});
}`;

/** GELU and its derivative. */
export const GELU = elementwise({
  name: "gelu",
  writes: { value: "f32", derivative: "f32" },
  reads: { x: "f32" },
  uniforms: {},
  shared: GELU_FUNCTION,
  body: `
  let result = gelu(x[i]);
  value[i] = result.x;
  derivative[i] = result.y;`,
});
