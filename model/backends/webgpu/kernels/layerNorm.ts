import { type Call, type Program, program } from "../program.ts";

const THREADS = 64;

/** Maximum number of workgroups of a gradient. Each writes partial gradients of weight and bias. */
const MAX_GRADIENT_GROUPS = 128;

/** Number of threads for one row. */
function lanesOf(dim: number): number {
  return dim <= 32 ? 8 : dim <= 256 ? 16 : 64;
}

/** WGSL function that adds the `threadSum` of all threads of a row, in a fixed order. */
function rowSum(type: string, lanes: number): string {
  return `
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
}`;
}

/** Layer norm of each row. `moments` receives its mean and the inverse of its standard deviation. */
function forward(lanes: number): Program {
  const each = (body: string) => `for (var i = lane; i < end; i += ${lanes}u) { ${body} }`;
  return program({
    name: "layer norm",
    writes: { value: "f32", moments: "f32" },
    reads: { x: "f32", weight: "f32", bias: "f32" },
    uniforms: { rows: "u32", dim: "u32", eps: "f32" },
    threads: THREADS,
    shared: rowSum("f32", lanes),
    body: `
  let lane = thread % ${lanes}u;
  let row = group * ${THREADS / lanes}u + thread / ${lanes}u;
  let inRange = row < u.rows;
  let first = select(0u, row * u.dim, inRange);
  let end = select(0u, u.dim, inRange);
  let size = f32(u.dim);
  var sum = 0.0;
  ${each("sum += x[first + i];")}
  let mean = rowSum(thread, sum) / size;
  var squares = 0.0;
  ${each("let centred = x[first + i] - mean; squares += centred * centred;")}
  let scale = inverseSqrt(rowSum(thread, squares) / size + u.eps);
  ${each("value[first + i] = (x[first + i] - mean) * scale * weight[i] + bias[i];")}
  if (inRange && lane == 0u) { moments[2u * row] = mean; moments[2u * row + 1u] = scale; }`,
  });
}

/**
 * The gradient of x, plus `residual` if there is one, and partial gradients of weight and bias: one for each workgroup.
 * A thread keeps the sums of its columns in registers, so the width of a row is part of the program.
 */
function gradient(dim: number, hasResidual: boolean): Program {
  const lanes = lanesOf(dim), slots = THREADS / lanes, columns = Math.ceil(dim / lanes);
  const each = (body: string) => `
      for (var c = 0u; c < ${columns}u; c++) {
        let i = lane + c * ${lanes}u;
        if (i < ${dim}u) { ${body} }
      }`;
  return program({
    name: "gradient of layer norm" + (hasResidual ? " + residual" : ""),
    writes: { dx: "f32", dWeight: "f32", dBias: "f32" },
    reads: {
      dy: "f32",
      x: "f32",
      moments: "f32",
      weight: "f32",
      ...(hasResidual ? { residual: "f32" } : {}),
    },
    uniforms: { rows: "u32", groups: "u32" },
    threads: THREADS,
    shared: rowSum("vec2<f32>", lanes),
    body: `
  if (group >= u.groups) { return; }
  let lane = thread % ${lanes}u;
  let slot = thread / ${lanes}u;
  var columnSums: array<vec2<f32>, ${columns}>;
  for (var firstRow = group * ${slots}u; firstRow < u.rows; firstRow += u.groups * ${slots}u) {
    let row = firstRow + slot;
    let inRange = row < u.rows;
    let first = select(0u, row * ${dim}u, inRange);
    let mean = moments[select(0u, 2u * row, inRange)];
    let scale = moments[select(1u, 2u * row + 1u, inRange)];
    var sums = vec2<f32>();
    if (inRange) {${
      each(`
          let grad = dy[first + i];
          let normed = (x[first + i] - mean) * scale;
          let d = grad * weight[i];
          sums += vec2(d, d * normed);
          columnSums[c] += vec2(grad * normed, grad);
        `)
    }
    }
    let means = rowSum(thread, sums) / ${dim}.0;
    if (inRange) {${
      each(`
          let normed = (x[first + i] - mean) * scale;
          dx[first + i] = (dy[first + i] * weight[i] - means.x - normed * means.y) * scale${
        hasResidual ? " + residual[first + i]" : ""
      };
        `)
    }
    }
  }
  for (var c = 0u; c < ${columns}u; c++) {
    workgroupBarrier();
    partial[thread] = columnSums[c];
    workgroupBarrier();
    let i = lane + c * ${lanes}u;
    if (slot == 0u && i < ${dim}u) {
      var total = vec2<f32>();
      for (var other = 0u; other < ${slots}u; other++) { total += partial[other * ${lanes}u + lane]; }
      dWeight[group * ${dim}u + i] = total.x;
      dBias[group * ${dim}u + i] = total.y;
    }
  }`,
  });
}

const FORWARD = new Map([8, 16, 64].map((lanes) => [lanes, forward(lanes)]));
const gradients = new Map<string, Program>();

/** x `[rows, dim]`, weight and bias `[dim]` → value `[rows, dim]`, moments `[rows, 2]`. */
export function layerNormCall(rows: number, dim: number, eps: number): Call {
  const lanes = lanesOf(dim), groups = Math.ceil(rows * lanes / THREADS);
  return { program: FORWARD.get(lanes)!, uniforms: [rows, dim, eps], groups };
}

/**
 * dy and x `[rows, dim]`, moments `[rows, 2]`, weight `[dim]` (, residual `[rows, dim]`) → dx `[rows, dim]`, gradients of
 * weight and bias `[groups, dim]`, which must be added.
 */
export function layerNormGradientCall(rows: number, dim: number, hasResidual = false): Call {
  const key = `${dim} ${hasResidual}`, cached = gradients.get(key) ?? gradient(dim, hasResidual);
  gradients.set(key, cached);
  const groups = Math.min(MAX_GRADIENT_GROUPS, Math.ceil(rows * lanesOf(dim) / THREADS));
  return { program: cached, uniforms: [rows, groups], groups };
}
