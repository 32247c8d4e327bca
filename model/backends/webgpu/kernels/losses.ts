import { program } from "../program.ts";
import { sumOfThreads } from "./sums.ts";

const THREADS = 256;
const total = sumOfThreads(THREADS, "f32");

/** Workgroups of {@linkcode MASKED_ERRORS}, each of which writes its share of the loss. */
export const lossShares = (rows: number, dim: number): number => Math.min(256, Math.ceil(rows * dim / 4096));

/** Shares of the loss on masked patches, and the gradient. Every workgroup counts the masked patches for itself. */
export const MASKED_ERRORS = program({
  name: "loss on masked patches",
  writes: { shares: "f32", slope: "f32" },
  reads: { pred: "f32", goal: "f32", mask: "f32" },
  numbers: { rows: "u32", dim: "u32", groups: "u32" },
  threads: THREADS,
  shared: `${total.shared}
fn sumOf(thread: u32, mine: f32) -> f32 {
  workgroupBarrier();
  ${total.code}
  return partial[0];
}`,
  body: `
  var count = 0.0;
  for (var row = thread; row < n.rows; row += ${THREADS}u) { count += mask[row]; }
  let masked = sumOf(thread, count) * f32(n.dim);
  var sum = 0.0;
  for (var i = group * ${THREADS}u + thread; i < n.rows * n.dim; i += n.groups * ${THREADS}u) {
    let error = (pred[i] - goal[i]) * mask[i / n.dim];
    slope[i] = 2.0 * error / masked;
    sum += error * error;
  }
  let share = sumOf(thread, sum) / masked;
  if (thread == 0u) { shares[group] = share; }`,
});

/** Adds the shares of a loss. */
export const ADD_LOSSES = program({
  name: "sum of a loss",
  writes: { loss: "f32" },
  reads: { shares: "f32" },
  numbers: { size: "u32" },
  threads: THREADS,
  shared: total.shared,
  body: `
  var mine = 0.0;
  for (var i = thread; i < n.size; i += ${THREADS}u) { mine += shares[i]; }
  ${total.code}
  if (thread == 0u) { loss[0] = partial[0]; }`,
});

/** Mean cross-entropy and its gradient, in one workgroup: a thread has whole rows. */
export const CROSS_ENTROPY = program({
  name: "cross-entropy",
  writes: { loss: "f32", slope: "f32" },
  reads: { logits: "f32", labels: "i32" },
  numbers: { rows: "u32", classes: "u32" },
  threads: THREADS,
  shared: total.shared,
  body: `
  var mine = 0.0;
  for (var row = thread; row < n.rows; row += ${THREADS}u) {
    let first = row * n.classes;
    var top = logits[first];
    for (var i = 1u; i < n.classes; i++) { top = max(top, logits[first + i]); }
    var sum = 0.0;
    for (var i = 0u; i < n.classes; i++) { sum += exp(logits[first + i] - top); }
    let label = u32(labels[row]);
    for (var i = 0u; i < n.classes; i++) {
      slope[first + i] = (exp(logits[first + i] - top) / sum - select(0.0, 1.0, i == label)) / f32(n.rows);
    }
    mine += log(sum) + top - logits[first + label];
  }
  ${total.code}
  if (thread == 0u) { loss[0] = partial[0] / f32(n.rows); }`,
});
