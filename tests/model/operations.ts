/**
 * Every operation of the model and what it must equal, for tests on any backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import type { BackendName } from "../../model/backends/backend.ts";
import { selectBackend, type SelectOptions } from "../../model/backends/select.ts";
import { randomMasking } from "../../model/masking.ts";
import { add, addConstant } from "../../model/ops/add.ts";
import { attention } from "../../model/ops/attention.ts";
import { crossEntropy } from "../../model/ops/cross_entropy.ts";
import { drawFactors, dropout, dropoutFactors } from "../../model/ops/dropout.ts";
import { gelu } from "../../model/ops/gelu.ts";
import { layerNorm } from "../../model/ops/layer_norm.ts";
import { linear } from "../../model/ops/linear.ts";
import { maskedLoss } from "../../model/ops/masked_loss.ts";
import { meanPool } from "../../model/ops/mean_pool.ts";
import { unshuffle } from "../../model/ops/unshuffle.ts";
import { normal, uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";

/** An operation and what it must equal, written in float64 without TensorFlow.js. */
interface Case {
  readonly name: string;
  readonly shapes: readonly number[][];
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op(...inputs: any[]): tf.Tensor;
  plain(inputs: number[][]): number[];
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

/** The error function by its series (Abramowitz & Stegun 7.1.5), exact enough for |x| < 5. */
function erf(x: number): number {
  let term = x, total = x;
  for (let n = 1; n < 200; n++) {
    term *= -x * x / n;
    total += term / (2 * n + 1);
  }
  return 2 / Math.sqrt(Math.PI) * total;
}

function softmax(row: number[]): number[] {
  const exps = row.map((value) => Math.exp(value - Math.max(...row)));
  return exps.map((value) => value / sum(exps));
}

/** Multi-head attention as its definition says, one head and one query at a time. */
function plainAttention(
  qkv: number[],
  batch: number,
  tokens: number,
  dim: number,
  heads: number,
  factors?: number[],
) {
  const size = dim / heads;
  const at = (b: number, t: number, part: number, h: number, i: number) =>
    qkv[(b * tokens + t) * 3 * dim + part * dim + h * size + i];
  return range(batch).flatMap((b) =>
    range(tokens).flatMap((t) =>
      range(heads).flatMap((h) => {
        const scores = range(tokens).map((u) =>
          sum(range(size).map((i) => at(b, t, 0, h, i) * at(b, u, 1, h, i))) / Math.sqrt(size)
        );
        const weights = softmax(scores).map((weight, u) =>
          weight * (factors ? factors[((b * heads + h) * tokens + t) * tokens + u] : 1)
        );
        return range(size).map((i) => sum(range(tokens).map((u) => weights[u] * at(b, u, 2, h, i))));
      })
    )
  );
}

const masking = randomMasking(uniform({ seed: 1, purpose: "mask" }, 2 * 6), 2, 6, 0.5);
const target = [...normal({ seed: 2, purpose: "target" }, 24)];
const mask = [1, 0, 1, 1, 0, 0];
const labels = Int32Array.of(2, 0, 1);
const key = { rate: 0.4, seed: 5, epoch: 1, step: 7 };

/** What dropout multiplies with at a site. */
export const factorsOf = (
  site: string,
  shape: number[],
): number[] => [...drawFactors(key, site, sizeOf(shape))];

const CASES: readonly Case[] = [
  {
    name: "linear",
    shapes: [[2, 3, 4], [5, 4], [5]],
    op: linear,
    plain: ([x, w, b]) =>
      range(6).flatMap((r) =>
        range(5).map((o) => b[o] + sum(range(4).map((i) => x[r * 4 + i] * w[o * 4 + i])))
      ),
  },
  {
    name: "gelu",
    shapes: [[3, 4]],
    op: gelu,
    plain: ([x]) => x.map((v) => v * 0.5 * (1 + erf(v / Math.SQRT2))),
  },
  {
    name: "layerNorm",
    shapes: [[2, 3, 4], [4], [4]],
    op: layerNorm,
    plain: ([x, w, b]) =>
      range(6).flatMap((r) => {
        const row = x.slice(r * 4, r * 4 + 4), mean = sum(row) / 4;
        const variance = sum(row.map((v) => (v - mean) ** 2)) / 4;
        return row.map((v, i) => (v - mean) / Math.sqrt(variance + 1e-5) * w[i] + b[i]);
      }),
  },
  {
    name: "attention",
    shapes: [[2, 3, 12]],
    op: (qkv) => attention(qkv, 2),
    plain: ([qkv]) => plainAttention(qkv, 2, 3, 4, 2),
  },
  {
    name: "attention of whole vectors",
    shapes: [[2, 11, 48]],
    op: (qkv) => attention(qkv, 2),
    plain: ([qkv]) => plainAttention(qkv, 2, 11, 16, 2),
  },
  {
    name: "attention of one token",
    shapes: [[2, 1, 24]],
    op: (qkv) => attention(qkv, 1),
    plain: ([qkv]) => plainAttention(qkv, 2, 1, 8, 1),
  },
  {
    name: "attention with dropout",
    shapes: [[2, 3, 12]],
    op: (qkv) => attention(qkv, 2, dropoutFactors(key, "a", [4, 3, 3]) as tf.Tensor3D),
    plain: ([qkv]) => plainAttention(qkv, 2, 3, 4, 2, factorsOf("a", [4, 3, 3])),
  },
  {
    name: "dropout",
    shapes: [[4, 5]],
    op: (x) => dropout(x, key, "d"),
    plain: ([x]) => factorsOf("d", [4, 5]).map((factor, i) => factor * x[i]),
  },
  { name: "add", shapes: [[2, 3], [2, 3]], op: add, plain: ([x, y]) => x.map((v, i) => v + y[i]) },
  {
    name: "addConstant",
    shapes: [[2, 2, 2]],
    op: (x) => addConstant(x, tf.tensor2d([1, 2, 3, 4], [2, 2])),
    plain: ([x]) => x.map((v, i) => v + i % 4 + 1),
  },
  {
    name: "meanPool",
    shapes: [[2, 3, 4]],
    op: meanPool,
    plain: ([x]) =>
      range(2).flatMap((b) => range(4).map((i) => sum(range(3).map((t) => x[(b * 3 + t) * 4 + i])) / 3)),
  },
  {
    name: "unshuffle",
    shapes: [[2, 3, 2], [1, 1, 2]],
    op: (visible, token) => unshuffle(visible, token, masking),
    plain: ([visible, token]) =>
      range(12).flatMap((place) => {
        const rank = masking.idsRestore[place], picture = Math.floor(place / 6);
        return range(2).map((i) => rank < 3 ? visible[(picture * 3 + rank) * 2 + i] : token[i]);
      }),
  },
  {
    name: "maskedLoss",
    shapes: [[2, 3, 4]],
    op: (pred) => maskedLoss(pred, tf.tensor3d(target, [2, 3, 4]), tf.tensor2d(mask, [2, 3])),
    plain: ([pred]) => [
      sum(
        range(6).map((p) =>
          mask[p] * sum(range(4).map((i) => (pred[p * 4 + i] - target[p * 4 + i]) ** 2)) / 4
        ),
      ) / 3,
    ],
  },
  {
    name: "crossEntropy",
    shapes: [[3, 4]],
    op: (logits) => crossEntropy(logits, labels),
    plain: ([x]) => [sum(range(3).map((r) => -Math.log(softmax(x.slice(r * 4, r * 4 + 4))[labels[r]]))) / 3],
  },
];

/** A fixed direction in which an output is looked at, so that its gradient is one number for each input. */
const directionOf = (size: number) => [...normal({ seed: 9, purpose: "direction" }, size)];

/** Compares every operation and its gradients with their definition. */
export function testOperations(backend: BackendName, options: SelectOptions = {}): void {
  Deno.test(`every operation and its gradient equal their definition (${backend})`, async (t) => {
    await selectBackend(backend, options);
    for (const { name, shapes, op, plain } of CASES) {
      await t.step(name, async () => {
        const values = shapes.map((
          shape,
          at,
        ) => [...normal({ seed: 3, purpose: `${name}/${at}` }, shape.reduce((a, b) => a * b))]);
        const before = tf.memory().numTensors;
        const inputs = values.map((list, at) => tf.tensor(list, shapes[at]));
        const output = tf.tidy(() => op(...inputs));
        const expected = plain(values);
        expect(output.size).toBe(expected.length);
        (await output.data()).forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-6));

        const direction = directionOf(expected.length);
        const grads = tf.tidy(() =>
          tf.grads((...x) => op(...x) as tf.Scalar)(inputs, tf.tensor(direction, output.shape) as tf.Scalar)
        );
        const along = (moved: number[][]) => sum(plain(moved).map((value, i) => value * direction[i]));
        for (const [at, grad] of grads.entries()) {
          expect(grad.shape).toEqual(shapes[at]);
          (await grad.data()).forEach((value, i) => {
            const step = 1e-5;
            const moved = (by: number) =>
              values.map((list, k) => list.map((v, j) => k === at && j === i ? v + by : v));
            const slope = (along(moved(step)) - along(moved(-step))) / (2 * step);
            expect(Math.abs(value - slope)).toBeLessThan(2e-5);
          });
        }
        tf.dispose([inputs, output, grads]);
        expect(tf.memory().numTensors).toBe(before);
      });
    }
  });
}

/** Values of an operation and of its inputs' gradients, for inputs of those shapes. */
async function answers(
  backend: string,
  shapes: readonly number[][],
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (...inputs: any[]) => tf.Tensor,
): Promise<Float32Array[]> {
  await selectBackend(backend);
  const values = (name: string, shape: number[]) =>
    tf.tensor(normal({ seed: 3, purpose: name }, sizeOf(shape)), shape);
  const tensors = tf.tidy(() => {
    const inputs = shapes.map((shape, at) => values(`${at}`, shape));
    const output = op(...inputs);
    const dy = values("dy", output.shape) as tf.Scalar;
    return [output, ...tf.grads((...x) => op(...x) as tf.Scalar)(inputs, dy)];
  });
  const read: Float32Array[] = [];
  for (const tensor of tensors) read.push(await tensor.data() as Float32Array);
  tf.dispose(tensors);
  return read;
}

/** Largest error, over the largest value where that is above 1. */
export function errorOf(ours: Float32Array, theirs: Float32Array): number {
  expect(ours.length).toBe(theirs.length);
  let error = 0, most = 1;
  theirs.forEach((value, i) => {
    error = Math.max(error, Math.abs(ours[i] - value));
    most = Math.max(most, Math.abs(value));
  });
  return error / most;
}

const labelsOf = (rows: number) => Int32Array.from({ length: rows }, (_, i) => i % 3);

/** One row, sizes that fill no block, workgroup or stage, and those of vit_base, which have more than one of each. */
const SIZES: readonly {
  name: string;
  shapes: number[][];
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (...inputs: any[]) => tf.Tensor;
}[] = [
  { name: "linear of one value", shapes: [[1, 1], [1, 1], [1]], op: linear },
  { name: "linear of a stage and more", shapes: [[14, 71], [13, 71], [13]], op: linear },
  { name: "linear of two stages", shapes: [[5, 136], [24, 136], [24]], op: linear },
  { name: "linear of wide layers", shapes: [[101, 270], [262, 270], [262]], op: linear },
  { name: "linear of one row", shapes: [[1, 7], [3, 7], [3]], op: linear },
  { name: "linear of many rows", shapes: [[1003, 33], [65, 33], [65]], op: linear },
  { name: "linear of vit_base", shapes: [[2, 50, 768], [768, 768], [768]], op: linear },
  { name: "linear with a long sum", shapes: [[3, 2100], [130, 2100], [130]], op: linear },
  { name: "gelu", shapes: [[3, 777]], op: gelu },
  { name: "layer norm of one row", shapes: [[1, 5], [5], [5]], op: layerNorm },
  { name: "layer norm of narrow rows", shapes: [[67, 3], [3], [3]], op: layerNorm },
  { name: "layer norm of middling rows", shapes: [[33, 100], [100], [100]], op: layerNorm },
  { name: "layer norm of vit_base", shapes: [[2, 197, 768], [768], [768]], op: layerNorm },
  { name: "attention of vit_base", shapes: [[1, 197, 3 * 2 * 64]], op: (x) => attention(x, 2) },
  { name: "attention of 33 tokens and odd heads", shapes: [[3, 33, 3 * 3 * 5]], op: (x) => attention(x, 3) },
  { name: "attention of short heads", shapes: [[3, 49, 3 * 4 * 8]], op: (x) => attention(x, 4) },
  { name: "attention of wide heads", shapes: [[1, 21, 3 * 2 * 100]], op: (x) => attention(x, 2) },
  { name: "attention of the widest heads", shapes: [[1, 9, 3 * 256]], op: (x) => attention(x, 1) },
  {
    name: "attention of heads too wide for our programs",
    shapes: [[1, 5, 3 * 260]],
    op: (x) => attention(x, 1),
  },
  {
    name: "attention of more pictures than a line of workgroups",
    shapes: [[70_000, 1, 3]],
    op: (x) => attention(x, 1),
  },
  { name: "mean over one token", shapes: [[3, 1, 5]], op: meanPool },
  { name: "mean over tokens of vit_base", shapes: [[2, 196, 768]], op: meanPool },
  { name: "cross-entropy of many rows", shapes: [[300, 3]], op: (x) => crossEntropy(x, labelsOf(300)) },
  {
    name: "masked loss of one patch",
    shapes: [[1, 1, 3]],
    op: (x) => maskedLoss(x, tf.zeros([1, 1, 3]), tf.ones([1, 1])),
  },
  {
    name: "masked loss of vit_base",
    shapes: [[4, 196, 768]],
    op: (x) =>
      maskedLoss(
        x,
        tf.ones([4, 196, 768]),
        tf.tensor2d(uniform({ seed: 1, purpose: "m" }, 784).map(Math.round), [4, 196]),
      ),
  },
];

/** Tests operations and their gradients at these sizes against TensorFlow.js's. */
export function testSizes(backend: BackendName): void {
  Deno.test(`operations of any size give what TensorFlow.js gives (${backend})`, async (t) => {
    for (const { name, shapes, op } of SIZES) {
      await t.step(name, async () => {
        const theirs = await answers("wasm", shapes, op), ours = await answers(backend, shapes, op);
        ours.forEach((values, at) =>
          expect({ at, close: errorOf(values, theirs[at]) < 1e-5 }).toEqual({ at, close: true })
        );
      });
    }
  });
}

/** Operations that keep the rows of their first input apart: so many of them, and what they read beside. */
const BY_ROWS: readonly {
  name: string;
  shape: number[];
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (x: any) => tf.Tensor;
}[] = [
  { name: "gelu", shape: [7, 5], op: gelu },
  { name: "layer norm", shape: [7, 9], op: (x) => layerNorm(x, tf.ones([9]), tf.zeros([9])) },
  { name: "mean", shape: [7, 3, 5], op: meanPool },
  { name: "attention", shape: [7, 5, 3 * 2 * 4], op: (x) => attention(x, 2) },
  { name: "linear", shape: [7, 70], op: (x) => linear(x, tf.ones([11, 70]), tf.zeros([11])) },
];

/** What is not finite must be seen in the result, and only where it belongs. */
export function testNotFinite(backend: BackendName): void {
  Deno.test(`what is not finite goes through our kernels as through any other (${backend})`, async () => {
    await selectBackend(backend);
    for (const value of [NaN, Infinity]) {
      const x = new Float32Array(13 * 16).fill(1);
      x[5 * 16 + 3] = value;
      const weight = tf.ones([8, 16]) as tf.Tensor2D;
      const out = await linear(tf.tensor2d(x, [13, 16]), weight, tf.zeros([8]) as tf.Tensor1D).data();
      out.forEach((result, at) => expect(result).toBe(Math.floor(at / 8) === 5 ? value : 16));
      const qkv = new Float32Array(2 * 3 * 24).fill(1);
      qkv[2] = value;
      const mixed = await attention(tf.tensor3d(qkv, [2, 3, 24]), 1).data();
      expect(mixed.slice(0, 8).every((result) => Number.isNaN(result))).toBe(true);
      expect([...mixed.slice(24)]).toEqual(new Array(24).fill(1));
      for (const { name, shape, op } of BY_ROWS) {
        const clean = normal({ seed: 8, purpose: name }, sizeOf(shape)), row = clean.length / 7;
        const spoilt = clean.map((number, at) => at === 4 * row + 2 ? value : number);
        const [expected, found] = [clean, spoilt].map((values) =>
          tf.tidy(() => op(tf.tensor(values, shape)))
        );
        const before = await expected.data(), after = await found.data(), own = before.length / 7;
        const rows = before.map((number, at) => Object.is(number, after[at]) ? -1 : Math.floor(at / own));
        expect({ name, value, changed: [...new Set(rows)].sort() }).toEqual({
          name,
          value,
          changed: [-1, 4],
        });
        expect(after.some((number) => !Number.isFinite(number))).toBe(true);
        tf.dispose([expected, found]);
      }
    }
  });
}
