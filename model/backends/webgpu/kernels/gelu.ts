import { elementwise } from "../program.ts";

/**
 * GELU and its derivative. The error function is a polynomial (Abramowitz & Stegun 7.1.26, error 1.5e-7), whose
 * exponential is the density's too.
 */
export const GELU = elementwise({
  name: "gelu",
  writes: { value: "f32", derivative: "f32" },
  reads: { x: "f32" },
  numbers: {},
  body: `
  let v = x[i];
  let z = abs(v) * ${Math.SQRT1_2};
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let bell = exp(-z * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  let tail = 0.5 * series * bell;
  let cdf = select(1.0 - tail, tail, v < 0.0);
  value[i] = v * cdf;
  derivative[i] = cdf + v * bell * ${1 / Math.sqrt(2 * Math.PI)};`,
});
