import { elementwise } from "../program.ts";

/** Mean over the tokens. */
export const MEAN_POOL = elementwise({
  name: "mean over tokens",
  writes: { value: "f32" },
  reads: { x: "f32" },
  numbers: { tokens: "u32", dim: "u32" },
  body: `
  let first = i / n.dim * n.tokens * n.dim + i % n.dim;
  var sum = 0.0;
  for (var token = 0u; token < n.tokens; token++) { sum += x[first + token * n.dim]; }
  value[i] = sum / f32(n.tokens);`,
});

/** Gradient of the mean over the tokens. */
export const MEAN_POOL_GRADIENT = elementwise({
  name: "gradient of the mean over tokens",
  writes: { dx: "f32" },
  reads: { dy: "f32" },
  numbers: { tokens: "u32", dim: "u32" },
  body: `  dx[i] = dy[i / (n.tokens * n.dim) * n.dim + i % n.dim] / f32(n.tokens);`,
});
