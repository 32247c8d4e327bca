/**
 * Matrix products of linear layers. A workgroup computes a square tile of the result, a thread 4 x 4 values of it. Bias,
 * residual, GELU and its derivative are applied in the epilogue, so their operands are read once and no intermediate
 * result is written.
 *
 * @module
 */
import { type Program, program } from "../program.ts";
import { GELU_FUNCTION } from "./gelu.ts";

/** Width of a workgroup's tile. */
export type TileWidth = 32 | 64;

/** Length of the sum that a workgroup loads per iteration. */
export const STEP = 16;

/** The parameters of a product. */
export interface GemmOptions {
  /**
   * - `forward`: x `[m, k]` · weight `[n, k]`ᵀ + bias
   * - `dx`: dy `[m, k]` · weight `[k, n]`
   * - `dw`: dy `[k, m]`ᵀ · x `[k, n]`, and the column sums of dy
   */
  readonly role: "forward" | "dx" | "dw";
  readonly tile: TileWidth;
  /** What the epilogue applies: adds `residual`, returns GELU and its derivative, or multiplies by `factor`. */
  readonly epilogue?: "residual" | "gelu" | "factor";
}

/** Names of the operands, and whether the axis that is summed is contiguous in each. */
const ROLES = {
  forward: { name: "linear", a: "x", b: "weight", aByRow: true, bByRow: true },
  dx: { name: "gradient of a linear layer's input", a: "dy", b: "weight", aByRow: true, bByRow: false },
  dw: { name: "gradient of a weight", a: "dy", b: "x", aByRow: false, bByRow: false },
} as const;

const SUFFIX = { residual: " + residual", gelu: " + gelu", factor: " · factor" };

/** WGSL code that loads a value of an operand's tile. The threads read consecutive addresses. */
function load(
  target: string,
  source: string,
  byRow: boolean,
  size: string,
  first: string,
  tile: number,
): string {
  const [k, position] = byRow
    ? [`index % ${STEP}u`, `index / ${STEP}u`]
    : [`index / ${tile}u`, `index % ${tile}u`];
  return `{
        let k = ${k};
        let position = ${position};
        var loaded = 0.0;
        if (first + k < end && ${first} + position < ${size}) {
          loaded = ${source}[${
    byRow ? `(${first} + position) * u.k + first + k` : `(first + k) * ${size} + ${first} + position`
  }];
        }
        ${target}[k * ${tile + 1}u + position] = loaded;
      }`;
}

function generate({ role, tile, epilogue }: GemmOptions): Program {
  const { name, a, b, aByRow, bByRow } = ROLES[role];
  const lanes = tile / 4, threads = lanes * lanes, isDw = role === "dw";
  const range = [0, 1, 2, 3];
  const writes: Record<string, "f32"> = isDw
    ? { dWeight: "f32", dBias: "f32" }
    : epilogue === "gelu"
    ? { value: "f32", derivative: "f32" }
    : { value: "f32" };
  const reads: Record<string, "f32"> = { [a]: "f32", [b]: "f32" };
  if (role === "forward") reads.bias = "f32";
  if (epilogue === "residual" || epilogue === "factor") reads[epilogue] = "f32";
  const result = role === "forward" ? "sum + bias[column]" : "sum";
  const stores = {
    none: `value[index] = ${result};`,
    residual: `value[index] = ${result} + residual[index];`,
    factor: `value[index] = ${result} * factor[index];`,
    gelu: `let activated = gelu(${result}); value[index] = activated.x; derivative[index] = activated.y;`,
  };
  return program({
    name: name + (epilogue ? SUFFIX[epilogue] : ""),
    writes,
    reads,
    uniforms: { m: "u32", n: "u32", k: "u32", splitLength: "u32", groups: "u32" },
    threads,
    shared: `
var<workgroup> tileA: array<f32, ${STEP * (tile + 1)}>;
var<workgroup> tileB: array<f32, ${STEP * (tile + 1)}>;
${epilogue === "gelu" ? GELU_FUNCTION : ""}
fn store(split: u32, row: u32, column: u32, sum: f32) {
  if (row >= u.m || column >= u.n) { return; }
  let index = (split * u.m + row) * u.n + column;
  ${isDw ? "dWeight[index] = sum;" : stores[epilogue ?? "none"]}
}`,
    body: `
  if (group >= u.groups) { return; }
  let tilesPerRow = (u.n + ${tile - 1}u) / ${tile}u;
  let tiles = tilesPerRow * ((u.m + ${tile - 1}u) / ${tile}u);
  let split = group / tiles;
  let firstM = group % tiles / tilesPerRow * ${tile}u;
  let firstN = group % tiles % tilesPerRow * ${tile}u;
  let threadM = thread / ${lanes}u * 4u;
  let threadN = thread % ${lanes}u * 4u;
  let end = min(u.k, (split + 1u) * u.splitLength);
  ${range.map((i) => `var sum${i} = vec4<f32>();`).join(" ")}
  ${isDw ? "var bias = vec4<f32>();" : ""}
  for (var first = split * u.splitLength; first < end; first += ${STEP}u) {
    workgroupBarrier();
    for (var index = thread; index < ${STEP * tile}u; index += ${threads}u) {
      ${load("tileA", a, aByRow, "u.m", "firstM", tile)}
      ${load("tileB", b, bByRow, "u.n", "firstN", tile)}
    }
    workgroupBarrier();
    for (var r = 0u; r < ${STEP * (tile + 1)}u; r += ${tile + 1}u) {
      let left = vec4(${range.map((i) => `tileA[r + threadM + ${i}u]`).join(", ")});
      let right = vec4(${range.map((i) => `tileB[r + threadN + ${i}u]`).join(", ")});
      ${range.map((i) => `sum${i} += left[${i}] * right;`).join("\n      ")}
      ${isDw ? "bias += left;" : ""}
    }
  }
  ${
      range.flatMap((i) =>
        range.map((j) => `store(split, firstM + threadM + ${i}u, firstN + threadN + ${j}u, sum${i}[${j}]);`)
      ).join("\n  ")
    }
  ${
      isDw
        ? `if (firstN == 0u && threadN == 0u) {
    for (var i = 0u; i < 4u; i++) {
      let row = firstM + threadM + i;
      if (row < u.m) { dBias[split * u.m + row] = bias[i]; }
    }
  }`
        : ""
    }`,
  });
}

const cache = new Map<string, Program>();

/** Returns the program of a product. It is generated once. */
export function gemm(options: GemmOptions): Program {
  const key = [options.role, options.tile, options.epilogue].join();
  const cached = cache.get(key) ?? generate(options);
  cache.set(key, cached);
  return cached;
}
