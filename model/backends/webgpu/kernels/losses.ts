import { type Call, program } from "../program.ts";
import { sumOfThreads } from "./sums.ts";

const THREADS = 256;
const total = sumOfThreads(THREADS, "f32");

/** Partial losses on masked patches, and the gradient. Every workgroup counts the masked patches of the batch. */
const MASKED_LOSS = program({
  name: "loss on masked patches",
  writes: { partials: "f32", grad: "f32" },
  reads: { pred: "f32", expected: "f32", mask: "f32" },
  uniforms: { rows: "u32", dim: "u32", groups: "u32" },
  threads: THREADS,
  shared: `${total.shared}
fn sumOf(thread: u32, threadSum: f32) -> f32 {
  workgroupBarrier();
  ${total.code}
  return partial[0];
}`,
  body: `
  var count = 0.0;
  for (var row = thread; row < u.rows; row += ${THREADS}u) { count += mask[row]; }
  let masked = sumOf(thread, count) * f32(u.dim);
  var sum = 0.0;
  for (var i = group * ${THREADS}u + thread; i < u.rows * u.dim; i += u.groups * ${THREADS}u) {
    let error = (pred[i] - expected[i]) * mask[i / u.dim];
    grad[i] = 2.0 * error / masked;
    sum += error * error;
  }
  let partialLoss = sumOf(thread, sum) / masked;
  if (thread == 0u) { partials[group] = partialLoss; }`,
});

/** pred and target `[rows, dim]`, mask `[rows]` → partial losses `[groups]`, gradient `[rows, dim]`. */
export function maskedLossCall(rows: number, dim: number): Call {
  const groups = Math.min(256, Math.ceil(rows * dim / 4096));
  return { program: MASKED_LOSS, uniforms: [rows, dim, groups], groups };
}

/** Adds the partial losses. */
export const REDUCE_LOSS = program({
  name: "sum of a loss",
  writes: { loss: "f32" },
  reads: { partials: "f32" },
  uniforms: { size: "u32" },
  threads: THREADS,
  shared: total.shared,
  body: `
  var threadSum = 0.0;
  for (var i = thread; i < u.size; i += ${THREADS}u) { threadSum += partials[i]; }
  ${total.code}
  if (thread == 0u) { loss[0] = partial[0]; }`,
});

/** Mean cross-entropy and its gradient, in one workgroup. A thread computes whole rows. */
export const CROSS_ENTROPY = program({
  name: "cross-entropy",
  writes: { loss: "f32", grad: "f32" },
  reads: { logits: "f32", labels: "i32" },
  uniforms: { rows: "u32", classes: "u32" },
  threads: THREADS,
  shared: total.shared,
  body: `
  var threadSum = 0.0;
  for (var row = thread; row < u.rows; row += ${THREADS}u) {
    let first = row * u.classes;
    var maximum = logits[first];
    for (var i = 1u; i < u.classes; i++) { maximum = max(maximum, logits[first + i]); }
    var sum = 0.0;
    for (var i = 0u; i < u.classes; i++) { sum += exp(logits[first + i] - maximum); }
    let label = u32(labels[row]);
    for (var i = 0u; i < u.classes; i++) {
      grad[first + i] = (exp(logits[first + i] - maximum) / sum - select(0.0, 1.0, i == label)) / f32(u.rows);
    }
    threadSum += log(sum) + maximum - logits[first + label];
  }
  ${total.code}
  if (thread == 0u) { loss[0] = partial[0] / f32(u.rows); }`,
});
