/**
 * Tests of every operation of the model against its definition, for any backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import type { BackendName } from "../../model/backends/list.ts";
import { evaluate } from "../../model/backends/evaluate.ts";
import { selectBackend, type SelectOptions } from "../../model/backends/select.ts";
import { randomMasking } from "../../model/masking.ts";
import { add, addConstant } from "../../model/ops/add.ts";
import { attention } from "../../model/ops/attention.ts";
import { crossEntropy } from "../../model/ops/crossEntropy.ts";
import { drawFactors, dropout, dropoutFactors } from "../../model/ops/dropout.ts";
import { addScaled } from "../../model/ops/dropPath.ts";
import { gelu } from "../../model/ops/gelu.ts";
import { layerNorm } from "../../model/ops/layerNorm.ts";
import { linear } from "../../model/ops/linear.ts";
import { maskedLoss } from "../../model/ops/maskedLoss.ts";
import { meanPool } from "../../model/ops/meanPool.ts";
import { unshuffle } from "../../model/ops/unshuffle.ts";
import { normal, uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";
import { titleOf } from "../setup/backends.ts";

/** An operation and its definition, which is written in float64 without TensorFlow.js. */
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
export function erf(x: number): number {
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

/** Layer norm of rows of four values by its definition. */
const plainLayerNorm = (x: number[], w: number[], b: number[], eps: number) =>
  range(x.length / 4).flatMap((r) => {
    const row = x.slice(r * 4, r * 4 + 4), mean = sum(row) / 4;
    const variance = sum(row.map((v) => (v - mean) ** 2)) / 4;
    return row.map((v, i) => (v - mean) / Math.sqrt(variance + eps) * w[i] + b[i]);
  });

/** Multi-head attention by its definition, one head and one query at a time. */
function plainAttention(
  qkv: number[],
  batch: number,
  tokens: number,
  dim: number,
  heads: number,
  factors?: number[],
) {
  const size = dim / heads;
  const valueAt = (b: number, t: number, part: number, h: number, i: number) =>
    qkv[(b * tokens + t) * 3 * dim + part * dim + h * size + i];
  return range(batch).flatMap((b) =>
    range(tokens).flatMap((t) =>
      range(heads).flatMap((h) => {
        const scores = range(tokens).map((u) =>
          sum(range(size).map((i) => valueAt(b, t, 0, h, i) * valueAt(b, u, 1, h, i))) / Math.sqrt(size)
        );
        const weights = softmax(scores).map((weight, u) =>
          weight * (factors ? factors[((b * heads + h) * tokens + t) * tokens + u] : 1)
        );
        return range(size).map((i) => sum(range(tokens).map((u) => weights[u] * valueAt(b, u, 2, h, i))));
      })
    )
  );
}

const masking = randomMasking(uniform({ seed: 1, purpose: "mask" }, 2 * 6), 2, 6, 0.5);
const target = [...normal({ seed: 2, purpose: "target" }, 24)];
const mask = [1, 0, 1, 1, 0, 0];
const labels = Int32Array.of(2, 0, 1);
const key = { rate: 0.4, seed: 5, epoch: 1, step: 7 };

/** The dropout factors of a site. */
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
    op: (x, w, b) => layerNorm(x, w, b, 1e-5),
    plain: ([x, w, b]) => plainLayerNorm(x, w, b, 1e-5),
  },
  {
    name: "layerNorm with a large eps",
    shapes: [[2, 3, 4], [4], [4]],
    op: (x, w, b) => layerNorm(x, w, b, 0.1),
    plain: ([x, w, b]) => plainLayerNorm(x, w, b, 0.1),
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
    op: (x) => meanPool(x, 0, 3),
    plain: ([x]) =>
      range(2).flatMap((b) => range(4).map((i) => sum(range(3).map((t) => x[(b * 3 + t) * 4 + i])) / 3)),
  },
  {
    name: "meanPool without the class token",
    shapes: [[2, 3, 4]],
    op: (x) => meanPool(x, 1, 2),
    plain: ([x]) =>
      range(2).flatMap((b) => range(4).map((i) => (x[(b * 3 + 1) * 4 + i] + x[(b * 3 + 2) * 4 + i]) / 2)),
  },
  {
    name: "meanPool of the class token alone",
    shapes: [[2, 3, 4]],
    op: (x) => meanPool(x, 0, 1),
    plain: ([x]) => range(2).flatMap((b) => range(4).map((i) => x[b * 3 * 4 + i])),
  },
  {
    name: "addScaled",
    shapes: [[3, 2, 5], [3, 2, 5]],
    op: (x, y) => addScaled(x, y, tf.tensor1d([0, 1.25, 2])),
    plain: ([x, y]) => x.map((v, i) => v + [0, 1.25, 2][Math.floor(i / 10)] * y[i]),
  },
  {
    name: "unshuffle",
    shapes: [[2, 3, 2], [1, 1, 2]],
    op: (visible, token) => unshuffle(visible, token, masking),
    plain: ([visible, token]) =>
      range(12).flatMap((row) => {
        const rank = masking.idsRestore[row], image = Math.floor(row / 6);
        return range(2).map((i) => rank < 3 ? visible[(image * 3 + rank) * 2 + i] : token[i]);
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

/** A fixed direction for directional derivatives of an output. */
const directionOf = (size: number) => [...normal({ seed: 9, purpose: "direction" }, size)];

/** Tests every operation against its definition, and its gradients against finite differences. */
export function testOperations(backend: BackendName, options: SelectOptions = {}): void {
  Deno.test(`every operation equals its definition, and its gradients finite differences (${titleOf(backend, options)})`, async (t) => {
    const { planner } = await selectBackend(backend, options);
    for (const { name, shapes, op, plain } of CASES) {
      await t.step(name, async () => {
        const values = shapes.map((
          shape,
          input,
        ) => [...normal({ seed: 3, purpose: `${name}/${input}` }, sizeOf(shape))]);
        const before = tf.memory().numTensors;
        const inputs = values.map((list, input) => ({ data: Float32Array.from(list), shape: shapes[input] }));
        const expected = plain(values), direction = directionOf(expected.length);
        const valueAndGradients = (...tensors: tf.Tensor[]) => {
          const output = op(...tensors);
          const dy = tf.tensor(Float32Array.from(direction), output.shape) as tf.Scalar;
          return [output, ...tf.grads((...x) => op(...x) as tf.Scalar)(tensors, dy)];
        };
        const [output, ...grads] = await evaluate(inputs, valueAndGradients, planner);
        expect(output.length).toBe(expected.length);
        output.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-6));

        const projected = (moved: number[][]) => sum(plain(moved).map((value, i) => value * direction[i]));
        for (const [input, grad] of grads.entries()) {
          expect(grad.length).toBe(sizeOf(shapes[input]));
          grad.forEach((value, i) => {
            const step = 1e-5;
            const moved = (by: number) =>
              values.map((list, k) => list.map((v, j) => k === input && j === i ? v + by : v));
            const difference = (projected(moved(step)) - projected(moved(-step))) / (2 * step);
            expect(Math.abs(value - difference)).toBeLessThan(2e-5);
          });
        }
        expect(tf.memory().numTensors).toBe(before);
      });
    }
  });
}
