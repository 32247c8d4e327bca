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

/** a + factors · b with a factor for each image. Uniform: the number of values of an image. */
export const ADD_SCALED = elementwise({
  name: "sum with scaled images",
  writes: { value: "f32" },
  reads: { a: "f32", b: "f32", factors: "f32" },
  uniforms: { imageSize: "u32" },
  body: `  value[i] = a[i] + factors[i / u.imageSize] * b[i];`,
});

/** a · factors with a factor for each image. Uniform: the number of values of an image. */
export const SCALE_IMAGES = elementwise({
  name: "scaled images",
  writes: { value: "f32" },
  reads: { a: "f32", factors: "f32" },
  uniforms: { imageSize: "u32" },
  body: `  value[i] = a[i] * factors[i / u.imageSize];`,
});
