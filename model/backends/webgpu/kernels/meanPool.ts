import { elementwise } from "../program.ts";

/** Mean over `count` tokens from the token `first` on. */
export const MEAN_POOL = elementwise({
  name: "mean over tokens",
  writes: { value: "f32" },
  reads: { x: "f32" },
  uniforms: { tokens: "u32", first: "u32", count: "u32", dim: "u32" },
  body: `
  let start = (i / u.dim * u.tokens + u.first) * u.dim + i % u.dim;
  var sum = 0.0;
  for (var token = 0u; token < u.count; token++) { sum += x[start + token * u.dim]; }
  value[i] = sum / f32(u.count);`,
});

/** Gradient of the mean over tokens. */
export const MEAN_POOL_GRADIENT = elementwise({
  name: "gradient of the mean over tokens",
  writes: { dx: "f32" },
  reads: { dy: "f32" },
  uniforms: { tokens: "u32", first: "u32", count: "u32", dim: "u32" },
  body: `
  let token = i / u.dim % u.tokens;
  var share = 0.0;
  if (token >= u.first && token < u.first + u.count) {
    share = dy[i / (u.tokens * u.dim) * u.dim + i % u.dim] / f32(u.count);
  }
  dx[i] = share;`,
});
