import { elementwise } from "../program.ts";

/** Mean over the tokens. */
export const MEAN_POOL = elementwise({
  name: "mean over tokens",
  writes: { value: "f32" },
  reads: { x: "f32" },
  uniforms: { tokens: "u32", dim: "u32" },
  body: `
  let first = i / u.dim * u.tokens * u.dim + i % u.dim;
  var sum = 0.0;
  for (var token = 0u; token < u.tokens; token++) { sum += x[first + token * u.dim]; }
  value[i] = sum / f32(u.tokens);`,
});

/** Gradient of the mean over the tokens. */
export const MEAN_POOL_GRADIENT = elementwise({
  name: "gradient of the mean over tokens",
  writes: { dx: "f32" },
  reads: { dy: "f32" },
  uniforms: { tokens: "u32", dim: "u32" },
  body: `  dx[i] = dy[i / (u.tokens * u.dim) * u.dim + i % u.dim] / f32(u.tokens);`,
});
