import { elementwise, program } from "../program.ts";

/** Outputs and inputs of a workgroup of {@linkcode WEIGHT_GRADIENT}. */
export const TILE = 32;
/** Rows of a workgroup's share are a multiple of it. */
export const STEP = 16;
const THREADS = 64, LANES = TILE / 4;

/**
 * Gradients of weight and bias, `dyᵀ · x` and the sums of dy, over a share of the rows: a GPU has work for more
 * workgroups than a small weight has tiles. Each share writes results of its own, so that they are added in a fixed
 * order (TensorFlow.js adds such shares as they come).
 */
export const WEIGHT_GRADIENT = program({
  name: "gradient of a weight",
  writes: { dWeight: "f32", dBias: "f32" },
  reads: { dy: "f32", x: "f32" },
  numbers: { rows: "u32", outDim: "u32", inDim: "u32", share: "u32", groups: "u32" },
  threads: THREADS,
  shared: `
var<workgroup> slopes: array<f32, ${STEP * TILE}>;
var<workgroup> inputs: array<f32, ${STEP * TILE}>;`,
  body: `
  if (group >= n.groups) { return; }
  let across = (n.inDim + ${TILE - 1}u) / ${TILE}u;
  let tiles = across * ((n.outDim + ${TILE - 1}u) / ${TILE}u);
  let part = group / tiles;
  let firstOut = group % tiles / across * ${TILE}u;
  let firstIn = group % tiles % across * ${TILE}u;
  let line = thread / ${LANES}u * 4u;
  let column = thread % ${LANES}u * 4u;
  let end = min(n.rows, (part + 1u) * n.share);
  var sums: array<vec4<f32>, 4>;
  var bias = vec4<f32>();
  for (var first = part * n.share; first < end; first += ${STEP}u) {
    workgroupBarrier();
    for (var at = thread; at < ${STEP * TILE}u; at += ${THREADS}u) {
      let row = first + at / ${TILE}u;
      let o = firstOut + at % ${TILE}u;
      let i = firstIn + at % ${TILE}u;
      var slope = 0.0;
      var input = 0.0;
      if (row < end) {
        if (o < n.outDim) { slope = dy[row * n.outDim + o]; }
        if (i < n.inDim) { input = x[row * n.inDim + i]; }
      }
      slopes[at] = slope;
      inputs[at] = input;
    }
    workgroupBarrier();
    for (var r = 0u; r < ${STEP * TILE}u; r += ${TILE}u) {
      let slope = vec4(slopes[r + line], slopes[r + line + 1u], slopes[r + line + 2u], slopes[r + line + 3u]);
      let input = vec4(inputs[r + column], inputs[r + column + 1u], inputs[r + column + 2u], inputs[r + column + 3u]);
      sums[0] += slope.x * input;
      sums[1] += slope.y * input;
      sums[2] += slope.z * input;
      sums[3] += slope.w * input;
      bias += slope;
    }
  }
  for (var k = 0u; k < 4u; k++) {
    let o = firstOut + line + k;
    if (o < n.outDim) {
      for (var l = 0u; l < 4u; l++) {
        let i = firstIn + column + l;
        if (i < n.inDim) { dWeight[(part * n.outDim + o) * n.inDim + i] = sums[k][l]; }
      }
      if (firstIn == 0u && column == 0u) { dBias[part * n.outDim + o] = bias[k]; }
    }
  }`,
});

/** Adds the shares' results; numbers: values of the weight, of the bias, and shares. */
export const ADD_SHARES = elementwise({
  name: "sum of a weight's gradients",
  writes: { dWeight: "f32", dBias: "f32" },
  reads: { weights: "f32", biases: "f32" },
  numbers: { weightSize: "u32", biasSize: "u32", shares: "u32" },
  body: `
  var sum = 0.0;
  if (i < n.weightSize) {
    for (var part = 0u; part < n.shares; part++) { sum += weights[part * n.weightSize + i]; }
    dWeight[i] = sum;
  } else {
    let at = i - n.weightSize;
    for (var part = 0u; part < n.shares; part++) { sum += biases[part * n.biasSize + at]; }
    dBias[at] = sum;
  }`,
});
