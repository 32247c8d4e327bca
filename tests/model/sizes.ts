/**
 * Tests of operations at the edge sizes of kernels and with values that are not finite, for any backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import type { BackendName } from "../../model/backends/list.ts";
import { evaluate } from "../../model/backends/evaluate.ts";
import { selectBackend, type SelectOptions } from "../../model/backends/select.ts";
import { attention } from "../../model/ops/attention.ts";
import { crossEntropy } from "../../model/ops/crossEntropy.ts";
import { addScaled } from "../../model/ops/dropPath.ts";
import { gelu } from "../../model/ops/gelu.ts";
import { layerNorm } from "../../model/ops/layerNorm.ts";
import { linear } from "../../model/ops/linear.ts";
import { maskedLoss } from "../../model/ops/maskedLoss.ts";
import { meanPool } from "../../model/ops/meanPool.ts";
import { normal, uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";
import { titleOf } from "../setup/backends.ts";

/** Returns the value of an operation and the gradients of its inputs, for random inputs. */
async function valueAndGradients(
  shapes: readonly number[][],
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (...inputs: any[]) => tf.Tensor,
  backend: string,
  options: SelectOptions = {},
): Promise<Float32Array[]> {
  const { planner } = await selectBackend(backend, options);
  const values = (name: string, shape: number[]) => normal({ seed: 3, purpose: name }, sizeOf(shape));
  const compute = (...inputs: tf.Tensor[]) => {
    const output = op(...inputs);
    const dy = tf.tensor(values("dy", output.shape), output.shape) as tf.Scalar;
    return [output, ...tf.grads((...x) => op(...x) as tf.Scalar)(inputs, dy)];
  };
  return evaluate(shapes.map((shape, i) => ({ data: values(`${i}`, shape), shape })), compute, planner);
}

/** Returns the largest error, relative to the largest expected value if that is above 1. */
export function errorOf(found: Float32Array, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  let error = 0, max = 1;
  expected.forEach((value, i) => {
    error = Math.max(error, Math.abs(found[i] - value));
    max = Math.max(max, Math.abs(value));
  });
  return error / max;
}

/** The layer norm of PyTorch's default. */
const norm = (x: tf.Tensor, weight: tf.Tensor1D, bias: tf.Tensor1D) => layerNorm(x, weight, bias, 1e-5);
const labelsOf = (rows: number) => Int32Array.from({ length: rows }, (_, i) => i % 3);

/** One row, sizes that are not a multiple of any block or workgroup, and those of vit_base, which have several. */
const SIZES: readonly {
  name: string;
  shapes: number[][];
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (...inputs: any[]) => tf.Tensor;
}[] = [
  { name: "linear of one value", shapes: [[1, 1], [1, 1], [1]], op: linear },
  { name: "linear of a block and a remainder", shapes: [[14, 71], [13, 71], [13]], op: linear },
  { name: "linear of two blocks", shapes: [[5, 136], [24, 136], [24]], op: linear },
  { name: "linear of wide layers", shapes: [[101, 270], [262, 270], [262]], op: linear },
  { name: "linear of one row", shapes: [[1, 7], [3, 7], [3]], op: linear },
  { name: "linear of many rows", shapes: [[1003, 33], [65, 33], [65]], op: linear },
  { name: "linear of vit_base", shapes: [[2, 50, 768], [768, 768], [768]], op: linear },
  { name: "linear with a long sum", shapes: [[3, 2100], [130, 2100], [130]], op: linear },
  { name: "gelu", shapes: [[3, 777]], op: gelu },
  { name: "layer norm of one row", shapes: [[1, 5], [5], [5]], op: norm },
  { name: "layer norm of narrow rows", shapes: [[67, 3], [3], [3]], op: norm },
  { name: "layer norm of medium rows", shapes: [[33, 100], [100], [100]], op: norm },
  { name: "layer norm of vit_base", shapes: [[2, 197, 768], [768], [768]], op: norm },
  { name: "attention of vit_base", shapes: [[1, 197, 3 * 2 * 64]], op: (x) => attention(x, 2) },
  { name: "attention of vit_huge", shapes: [[1, 257, 3 * 2 * 80]], op: (x) => attention(x, 2) },
  { name: "attention of 33 tokens and odd heads", shapes: [[3, 33, 3 * 3 * 5]], op: (x) => attention(x, 3) },
  { name: "attention of short heads", shapes: [[3, 49, 3 * 4 * 8]], op: (x) => attention(x, 4) },
  { name: "attention of wide heads", shapes: [[1, 21, 3 * 2 * 100]], op: (x) => attention(x, 2) },
  { name: "attention of the widest heads", shapes: [[1, 9, 3 * 256]], op: (x) => attention(x, 1) },
  {
    name: "attention of heads that no kernel supports",
    shapes: [[1, 5, 3 * 260]],
    op: (x) => attention(x, 1),
  },
  {
    name: "attention of more images than workgroups in one dimension",
    shapes: [[70_000, 1, 3]],
    op: (x) => attention(x, 1),
  },
  { name: "mean over one token", shapes: [[3, 1, 5]], op: (x) => meanPool(x, 0, 1) },
  { name: "mean over tokens of vit_base", shapes: [[2, 196, 768]], op: (x) => meanPool(x, 0, 196) },
  { name: "mean over patches after a class token", shapes: [[2, 197, 768]], op: (x) => meanPool(x, 1, 196) },
  {
    name: "sum with scaled images of vit_base",
    shapes: [[2, 197, 768], [2, 197, 768]],
    op: (x, y) => addScaled(x, y, tf.tensor1d([0, 1.25])),
  },
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

/** Tests operations and their gradients at these sizes against TensorFlow.js. */
export function testSizes(backend: BackendName, options: SelectOptions = {}): void {
  Deno.test(`operations of any size equal those of TensorFlow.js (${titleOf(backend, options)})`, async (t) => {
    for (const { name, shapes, op } of SIZES) {
      await t.step(name, async () => {
        const expected = await valueAndGradients(shapes, op, "wasm"),
          found = await valueAndGradients(shapes, op, backend, options);
        found.forEach((values, output) =>
          expect({ output, close: errorOf(values, expected[output]) < 1e-5 }).toEqual({ output, close: true })
        );
      });
    }
  });
}

/** Operations that compute each of the seven rows of their first input independently. */
const BY_ROWS: readonly {
  name: string;
  shape: number[];
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (x: any) => tf.Tensor;
}[] = [
  { name: "gelu", shape: [7, 5], op: gelu },
  { name: "layer norm", shape: [7, 9], op: (x) => norm(x, tf.ones([9]), tf.zeros([9])) },
  { name: "mean", shape: [7, 3, 5], op: (x) => meanPool(x, 0, 3) },
  {
    name: "sum with scaled images",
    shape: [7, 3, 5],
    op: (x) => addScaled(x, tf.ones([7, 3, 5]), tf.ones([7]) as tf.Tensor1D),
  },
  { name: "attention", shape: [7, 5, 3 * 2 * 4], op: (x) => attention(x, 2) },
  { name: "linear", shape: [7, 70], op: (x) => linear(x, tf.ones([11, 70]), tf.zeros([11])) },
];

/** Tests that NaN and infinity reach exactly the results that depend on them. */
export function testNotFinite(backend: BackendName, options: SelectOptions = {}): void {
  const title = titleOf(backend, options);
  Deno.test(`NaN and infinity reach exactly the results that depend on them (${title})`, async () => {
    const { planner } = await selectBackend(backend, options);
    // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
    const compute = async (data: Float32Array, shape: number[], op: (x: any) => tf.Tensor) =>
      (await evaluate([{ data, shape }], (x) => [op(x)], planner))[0];
    for (const value of [NaN, Infinity]) {
      const x = new Float32Array(13 * 16).fill(1);
      x[5 * 16 + 3] = value;
      const out = await compute(
        x,
        [13, 16],
        (x) => linear(x, tf.ones([8, 16]) as tf.Tensor2D, tf.zeros([8]) as tf.Tensor1D),
      );
      out.forEach((result, i) => expect(result).toBe(Math.floor(i / 8) === 5 ? value : 16));
      const qkv = new Float32Array(2 * 3 * 24).fill(1);
      qkv[2] = value;
      const mixed = await compute(qkv, [2, 3, 24], (x) => attention(x, 1));
      expect(mixed.slice(0, 8).every((result) => Number.isNaN(result))).toBe(true);
      expect([...mixed.slice(24)]).toEqual(new Array(24).fill(1));
      for (const { name, shape, op } of BY_ROWS) {
        const clean = normal({ seed: 8, purpose: name }, sizeOf(shape)), row = clean.length / 7;
        const changed = clean.map((number, i) => i === 4 * row + 2 ? value : number);
        const before = await compute(clean, shape, op), after = await compute(changed, shape, op);
        const rowSize = before.length / 7;
        const rows = before.map((number, i) => Object.is(number, after[i]) ? -1 : Math.floor(i / rowSize));
        expect({ name, value, changed: [...new Set(rows)].sort() }).toEqual({
          name,
          value,
          changed: [-1, 4],
        });
        expect(after.some((number) => !Number.isFinite(number))).toBe(true);
      }
    }
  });

  Deno.test(`attention of huge scores is finite, as in TensorFlow.js (${title})`, async () => {
    // Scores of 1e12, as in a model that diverges. Rounding changes such a score by thousands.
    const values = normal({ seed: 3, purpose: "huge" }, 2 * 21 * 48).map((value) => 1e6 * value);
    const compute = async (name: string, options: SelectOptions = {}) => {
      const { planner } = await selectBackend(name, options), input = { data: values, shape: [2, 21, 48] };
      return (await evaluate([input], (x) => [attention(x as tf.Tensor3D, 2)], planner))[0];
    };
    const expected = await compute("wasm"), found = await compute(backend, options);
    expect(found.every(Number.isFinite)).toBe(true);
    expect(errorOf(found, expected)).toBeLessThan(1e-5);
  });
}
