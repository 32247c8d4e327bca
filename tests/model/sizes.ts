/**
 * Operations at sizes where kernels have edges, and with values that are not finite, for tests on any backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import type { BackendName } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { attention } from "../../model/ops/attention.ts";
import { crossEntropy } from "../../model/ops/crossEntropy.ts";
import { gelu } from "../../model/ops/gelu.ts";
import { layerNorm } from "../../model/ops/layerNorm.ts";
import { linear } from "../../model/ops/linear.ts";
import { maskedLoss } from "../../model/ops/maskedLoss.ts";
import { meanPool } from "../../model/ops/meanPool.ts";
import { normal, uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";

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
    name: "attention of more images than a line of workgroups",
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

  Deno.test(`attention of huge scores is finite, as TensorFlow.js has it (${backend})`, async () => {
    // Scores of 1e12, as of a model that diverges: their products with any factor are rounded by thousands.
    const values = normal({ seed: 3, purpose: "huge" }, 2 * 21 * 48).map((value) => 1e6 * value);
    const answer = async (name: string) => {
      await selectBackend(name);
      const out = tf.tidy(() => attention(tf.tensor3d(values, [2, 21, 48]), 2));
      const found = await out.data() as Float32Array;
      out.dispose();
      return found;
    };
    const theirs = await answer("wasm"), ours = await answer(backend);
    expect(ours.every(Number.isFinite)).toBe(true);
    expect(errorOf(ours, theirs)).toBeLessThan(1e-5);
  });
}
