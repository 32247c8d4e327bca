import { type Call, elementwise, type Program, program } from "../program.ts";

/** Number of columns of a workgroup: 32 bytes of a row, the smallest memory transaction. */
const SUM_COLUMNS = 8;
const THREADS = 256;

/** WGSL code that adds the `threadSum` of all threads in `partial[0]`, in a fixed order. Only thread 0 may read the sum. */
export function sumOfThreads(threads: number, type: string): { shared: string; code: string } {
  return {
    shared: `var<workgroup> partial: array<${type}, ${threads}>;`,
    code: `
  partial[thread] = threadSum;
  workgroupBarrier();
  for (var half = ${threads / 2}u; half > 0u; half >>= 1u) {
    if (thread < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }`,
  };
}

/**
 * Returns a program that sums the rows of a matrix for each column. Uniforms: `rows` and `columns`.
 *
 * @param reads names of the input buffers
 * @param sums the summed expression by the name of its output; it may use the element's index `i` and its `row`
 */
export function columnSums(name: string, reads: readonly string[], sums: Record<string, string>): Program {
  const names = Object.keys(sums), type = names.length === 1 ? "f32" : `vec${names.length}<f32>`;
  const lanes = THREADS / SUM_COLUMNS;
  return program({
    name,
    writes: Object.fromEntries(names.map((output) => [output, "f32"])),
    reads: Object.fromEntries(reads.map((input) => [input, "f32"])),
    uniforms: { rows: "u32", columns: "u32" },
    threads: THREADS,
    shared: `var<workgroup> partial: array<${type}, ${THREADS}>;`,
    body: `
  let column = group * ${SUM_COLUMNS}u + thread % ${SUM_COLUMNS}u;
  var threadSum = ${type}();
  if (column < u.columns) {
    for (var row = thread / ${SUM_COLUMNS}u; row < u.rows; row += ${lanes}u) {
      let i = row * u.columns + column;
      threadSum += ${type}(${Object.values(sums).join(", ")});
    }
  }
  partial[thread] = threadSum;
  workgroupBarrier();
  for (var half = ${THREADS / 2}u; half >= ${SUM_COLUMNS}u; half >>= 1u) {
    if (thread < half) { partial[thread] += partial[thread + half]; }
    workgroupBarrier();
  }
  if (thread < ${SUM_COLUMNS}u && column < u.columns) {
    let total = partial[thread];
    ${
      names.map((output, i) => `${output}[column] = total${names.length === 1 ? "" : `[${i}]`};`).join(
        "\n    ",
      )
    }
  }`,
  });
}

/** Returns a call of a program of {@linkcode columnSums}. */
export function columnSumsCall(program: Program, rows: number, columns: number): Call {
  return { program, uniforms: [rows, columns], groups: Math.ceil(columns / SUM_COLUMNS) };
}

/** Adds partial gradients of a weight and of a bias. Uniforms: their sizes, and the number of partial gradients. */
export const ADD_SPLITS = elementwise({
  name: "sum of partial gradients",
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
