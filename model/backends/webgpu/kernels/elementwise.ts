import { elementwise } from "../program.ts";

/** Adds b, which repeats. Uniform: its size. */
export const ADD = elementwise({
  name: "sum",
  writes: { value: "f32" },
  reads: { a: "f32", b: "f32" },
  uniforms: { period: "u32" },
  body: `  value[i] = a[i] + b[i % u.period];`,
});

/** The elementwise product. */
export const MULTIPLY = elementwise({
  name: "product",
  writes: { value: "f32" },
  reads: { a: "f32", b: "f32" },
  uniforms: {},
  body: `  value[i] = a[i] * b[i];`,
});
