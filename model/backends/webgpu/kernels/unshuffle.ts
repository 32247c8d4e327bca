import { elementwise } from "../program.ts";
import { columnSums } from "./sums.ts";

/** Gathers rows by index; index -1 selects the token. Uniform: the width of a row. */
export const UNSHUFFLE = elementwise({
  name: "unshuffle",
  writes: { value: "f32" },
  reads: { visible: "f32", token: "f32", indices: "i32" },
  uniforms: { dim: "u32" },
  body: `
  let index = indices[i / u.dim];
  let column = i % u.dim;
  if (index < 0) { value[i] = token[column]; } else { value[i] = visible[u32(index) * u.dim + column]; }`,
});

/** Gathers rows by index. Uniform: the width of a row. */
export const GATHER_ROWS = elementwise({
  name: "gather of rows",
  writes: { value: "f32" },
  reads: { x: "f32", indices: "i32" },
  uniforms: { dim: "u32" },
  body: `  value[i] = x[u32(indices[i / u.dim]) * u.dim + i % u.dim];`,
});

/** The gradient of the mask token: the sum of the masked rows. */
export const TOKEN_GRADIENT = columnSums("gradient of the mask token", ["dy", "mask"], {
  dToken: "dy[i] * mask[row]",
});
