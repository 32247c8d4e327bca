import { elementwise, program } from "../program.ts";

/** Height and width of the tile of a weight that a workgroup of {@linkcode WEIGHT_GRADIENT} computes. */
export const TILE = 32;
/** Number of rows that a workgroup loads per iteration. */
export const STEP = 16;
const THREADS = 64, LANES = TILE / 4;

/**
 * Gradients of weight and bias, `dyᵀ · x` and the column sums of dy, for a split of the rows (split-K). A small weight
 * has too few tiles to occupy a GPU without it. Each split writes a separate result, and the results are added in a
 * fixed order; TensorFlow.js adds splits in the order in which they finish.
 */
export const WEIGHT_GRADIENT = program({
  name: "gradient of a weight",
  writes: { dWeight: "f32", dBias: "f32" },
  reads: { dy: "f32", x: "f32" },
  uniforms: { rows: "u32", outDim: "u32", inDim: "u32", splitRows: "u32", groups: "u32" },
  threads: THREADS,
  shared: `
var<workgroup> grads: array<f32, ${STEP * TILE}>;
var<workgroup> inputs: array<f32, ${STEP * TILE}>;`,
  body: `
  if (group >= u.groups) { return; }
  let tilesPerRow = (u.inDim + ${TILE - 1}u) / ${TILE}u;
  let tiles = tilesPerRow * ((u.outDim + ${TILE - 1}u) / ${TILE}u);
  let split = group / tiles;
  let firstOut = group % tiles / tilesPerRow * ${TILE}u;
  let firstIn = group % tiles % tilesPerRow * ${TILE}u;
  let gradOffset = thread / ${LANES}u * 4u;
  let inputOffset = thread % ${LANES}u * 4u;
  let end = min(u.rows, (split + 1u) * u.splitRows);
  var sums: array<vec4<f32>, 4>;
  var bias = vec4<f32>();
  for (var first = split * u.splitRows; first < end; first += ${STEP}u) {
    workgroupBarrier();
    for (var index = thread; index < ${STEP * TILE}u; index += ${THREADS}u) {
      let row = first + index / ${TILE}u;
      let o = firstOut + index % ${TILE}u;
      let i = firstIn + index % ${TILE}u;
      var grad = 0.0;
      var input = 0.0;
      if (row < end) {
        if (o < u.outDim) { grad = dy[row * u.outDim + o]; }
        if (i < u.inDim) { input = x[row * u.inDim + i]; }
      }
      grads[index] = grad;
      inputs[index] = input;
    }
    workgroupBarrier();
    for (var r = 0u; r < ${STEP * TILE}u; r += ${TILE}u) {
      let grad = vec4(grads[r + gradOffset], grads[r + gradOffset + 1u], grads[r + gradOffset + 2u], grads[r + gradOffset + 3u]);
      let input = vec4(inputs[r + inputOffset], inputs[r + inputOffset + 1u], inputs[r + inputOffset + 2u], inputs[r + inputOffset + 3u]);
      sums[0] += grad.x * input;
      sums[1] += grad.y * input;
      sums[2] += grad.z * input;
      sums[3] += grad.w * input;
      bias += grad;
    }
  }
  for (var k = 0u; k < 4u; k++) {
    let o = firstOut + gradOffset + k;
    if (o < u.outDim) {
      for (var l = 0u; l < 4u; l++) {
        let i = firstIn + inputOffset + l;
        if (i < u.inDim) { dWeight[(split * u.outDim + o) * u.inDim + i] = sums[k][l]; }
      }
      if (firstIn == 0u && inputOffset == 0u) { dBias[split * u.outDim + o] = bias[k]; }
    }
  }`,
});

/** Adds the results of all splits. Uniforms: sizes of the weight and of the bias, and the number of splits. */
export const REDUCE_WEIGHT_GRADIENT = elementwise({
  name: "sum of a weight's gradients",
  writes: { dWeight: "f32", dBias: "f32" },
  reads: { weights: "f32", biases: "f32" },
  uniforms: { weightSize: "u32", biasSize: "u32", splits: "u32" },
  body: `
  var sum = 0.0;
  if (i < u.weightSize) {
    for (var split = 0u; split < u.splits; split++) { sum += weights[split * u.weightSize + i]; }
    dWeight[i] = sum;
  } else {
    let index = i - u.weightSize;
    for (var split = 0u; split < u.splits; split++) { sum += biases[split * u.biasSize + index]; }
    dBias[index] = sum;
  }`,
});
