import { elementwise } from "../program.ts";
import { columnSums } from "./sums.ts";

/** Rows by index, the token for index -1; number: the rows' width. */
export const UNSHUFFLE = elementwise({
  name: "unshuffle",
  writes: { value: "f32" },
  reads: { visible: "f32", token: "f32", places: "i32" },
  numbers: { dim: "u32" },
  body: `
  let place = places[i / n.dim];
  let column = i % n.dim;
  if (place < 0) { value[i] = token[column]; } else { value[i] = visible[u32(place) * n.dim + column]; }`,
});

/** Rows by index; number: the rows' width. */
export const GATHER_ROWS = elementwise({
  name: "gather of rows",
  writes: { value: "f32" },
  reads: { x: "f32", places: "i32" },
  numbers: { dim: "u32" },
  body: `  value[i] = x[u32(places[i / n.dim]) * n.dim + i % n.dim];`,
});

/** Sum of the masked rows: the token's gradient. */
export const TOKEN_GRADIENT = columnSums("gradient of the mask token", ["dy", "mask"], {
  dToken: "dy[at] * mask[row]",
});
