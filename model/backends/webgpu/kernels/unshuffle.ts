import { elementwise } from "../program.ts";
import { columnSums } from "./sums.ts";

const unshuffle = (positions: boolean) =>
  elementwise({
    name: "unshuffle" + (positions ? " + positions" : ""),
    writes: { value: "f32" },
    reads: { visible: "f32", token: "f32", indices: "i32", ...(positions ? { positions: "f32" } : {}) },
    uniforms: { dim: "u32", ...(positions ? { period: "u32" } : {}) },
    body: `
  let index = indices[i / u.dim];
  let column = i % u.dim;
  var gathered = token[column];
  if (index >= 0) { gathered = visible[u32(index) * u.dim + column]; }
  value[i] = gathered${positions ? " + positions[i % u.period]" : ""};`,
  });

/** Gathers rows by index; index -1 selects the token. Uniform: the width of a row. */
export const UNSHUFFLE = unshuffle(false);

/** The same, plus positions that repeat. Uniforms: the width of a row, the number of values of the positions. */
export const UNSHUFFLE_POSITIONS = unshuffle(true);

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
