import { LAYER_NORM_EPS } from "../../../ops/layerNorm.ts";
import { type Program, program } from "../program.ts";
import { columnSums } from "./sums.ts";

const THREADS = 64;

/** Number of threads for one row. */
function lanesOf(dim: number): number {
  return dim <= 32 ? 8 : dim <= 256 ? 16 : 64;
}

/** Number of rows of a workgroup. */
export const normRows = (dim: number): number => THREADS / lanesOf(dim);

/** WGSL function that adds the `threadSum` of all threads of a row, in a fixed order. */
function rowSum(type: string, lanes: number) {
  return {
    shared: `
var<workgroup> partial: array<${type}, ${THREADS}>;
fn rowSum(thread: u32, threadSum: ${type}) -> ${type} {
  workgroupBarrier();
  partial[thread] = threadSum;
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half >>= 1u) {
    if (thread % ${lanes}u < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }
  return partial[thread - thread % ${lanes}u];
}`,
  };
}

const prologue = (lanes: number) => `
  let lane = thread % ${lanes}u;
  let row = group * ${THREADS / lanes}u + thread / ${lanes}u;
  let inRange = row < u.rows;
  let first = select(0u, row * u.dim, inRange);
  let end = select(0u, u.dim, inRange);
  let size = f32(u.dim);`;

function forward(lanes: number): Program {
  const each = (body: string) => `for (var i = lane; i < end; i += ${lanes}u) { ${body} }`;
  return program({
    name: "layer norm",
    writes: { value: "f32", normed: "f32", scales: "f32" },
    reads: { x: "f32", weight: "f32", bias: "f32" },
    uniforms: { rows: "u32", dim: "u32" },
    threads: THREADS,
    ...rowSum("f32", lanes),
    body: `${prologue(lanes)}
  var sum = 0.0;
  ${each("sum += x[first + i];")}
  let mean = rowSum(thread, sum) / size;
  var squares = 0.0;
  ${each("let centred = x[first + i] - mean; squares += centred * centred;")}
  let scale = inverseSqrt(rowSum(thread, squares) / size + ${LAYER_NORM_EPS});
  ${
      each(
        "let y = (x[first + i] - mean) * scale; normed[first + i] = y; value[first + i] = y * weight[i] + bias[i];",
      )
    }
  if (inRange && lane == 0u) { scales[row] = scale; }`,
  });
}

function gradient(lanes: number): Program {
  const each = (body: string) => `for (var i = lane; i < end; i += ${lanes}u) { ${body} }`;
  return program({
    name: "gradient of layer norm",
    writes: { dx: "f32" },
    reads: { dy: "f32", normed: "f32", scales: "f32", weight: "f32" },
    uniforms: { rows: "u32", dim: "u32" },
    threads: THREADS,
    ...rowSum("vec2<f32>", lanes),
    body: `${prologue(lanes)}
  var sums = vec2<f32>();
  ${each("let d = dy[first + i] * weight[i]; sums += vec2(d, d * normed[first + i]);")}
  let means = rowSum(thread, sums) / size;
  let scale = scales[select(0u, row, inRange)];
  ${each("dx[first + i] = (dy[first + i] * weight[i] - means.x - normed[first + i] * means.y) * scale;")}`,
  });
}

const PROGRAMS = new Map([8, 16, 64].map((lanes) => [
  lanes,
  { forward: forward(lanes), gradient: gradient(lanes) },
]));

/** Returns the programs for rows of a width: forward, and the gradient of x. A workgroup computes `normRows(dim)` rows. */
export function layerNormPrograms(dim: number): { readonly forward: Program; readonly gradient: Program } {
  return PROGRAMS.get(lanesOf(dim))!;
}

/** The gradients of weight and bias. */
export const LAYER_NORM_SUMS = columnSums("gradients of layer norm's parameters", ["dy", "normed"], {
  dWeight: "dy[i] * normed[i]",
  dBias: "dy[i]",
});
