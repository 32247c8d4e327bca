/**
 * Compares the results and gradients of every program with TensorFlow.js on the CPU. A faulty driver computes wrong
 * numbers without an error.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { randomMasking } from "../../masking.ts";
import { adamw } from "../../ops/adamw.ts";
import { attention } from "../../ops/attention.ts";
import { crossEntropy } from "../../ops/crossEntropy.ts";
import { addScaled } from "../../ops/dropPath.ts";
import { gelu } from "../../ops/gelu.ts";
import { layerNorm } from "../../ops/layerNorm.ts";
import { linear } from "../../ops/linear.ts";
import { maskedLoss } from "../../ops/maskedLoss.ts";
import { meanPool } from "../../ops/meanPool.ts";
import { type NativeOps, useNative } from "../../ops/native.ts";
import { unshuffle } from "../../ops/unshuffle.ts";
import { normal, uniform } from "../../random.ts";
import { type Shape, sizeOf } from "../../shape.ts";

const randomTensor = (name: string, shape: Shape) =>
  tf.tensor(normal({ seed: 1, purpose: `self-test/${name}` }, sizeOf(shape)), [...shape]);
const positive = (name: string, shape: Shape) => tf.abs(randomTensor(name, shape));

// deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
type Operation = (...inputs: any[]) => tf.Tensor;

/** Returns a probe: the value of an operation and the gradients of its inputs. */
function valueAndGradients(name: string, shapes: readonly Shape[], op: Operation): () => tf.Tensor[] {
  return () => {
    const inputs = shapes.map((shape, i) => randomTensor(`${name}/${i}`, shape));
    const value = op(...inputs), dy = randomTensor(`${name}/dy`, value.shape);
    return [value, ...tf.grads((...x) => op(...x) as tf.Scalar)(inputs, dy as tf.Scalar)];
  };
}

const masking = randomMasking(uniform({ seed: 1, purpose: "self-test/mask" }, 2 * 9), 2, 9, 0.5);
/** Dropout factors. */
const factors = (name: string, shape: Shape) =>
  tf.mul(tf.cast(tf.greater(randomTensor(name, shape), -1), "float32"), 1.2);

/** Computations to compare. Their sizes are not multiples of a workgroup, and no result is zero. */
const PROBES: Readonly<Record<string, () => tf.Tensor[]>> = {
  linear: valueAndGradients("linear", [[150, 37], [45, 37], [45]], linear),
  gelu: valueAndGradients("gelu", [[300]], gelu),
  "layer norm": valueAndGradients(
    "layer norm",
    [[11, 20], [20], [20]],
    (x, weight, bias) => layerNorm(x, weight, bias, 1e-5),
  ),
  "layer norm of wide rows": valueAndGradients(
    "wide rows",
    [[5, 300], [300], [300]],
    (x, weight, bias) => layerNorm(x, weight, bias, 0.1),
  ),
  attention: valueAndGradients("attention", [[2, 37, 3 * 16]], (qkv) => attention(qkv, 2)),
  "attention with dropout": valueAndGradients(
    "dropped",
    [[2, 5, 3 * 6]],
    (qkv) => attention(qkv, 2, factors("kept", [4, 5, 5]) as tf.Tensor3D),
  ),
  unshuffle: valueAndGradients(
    "unshuffle",
    [[2, masking.keep, 12], [1, 1, 12]],
    (x, token) => unshuffle(x, token, masking),
  ),
  "masked loss": valueAndGradients(
    "masked loss",
    [[2, 9, 500]],
    (x) =>
      maskedLoss(x, randomTensor("target", [2, 9, 500]) as tf.Tensor3D, tf.tensor2d(masking.mask, [2, 9])),
  ),
  "cross-entropy": valueAndGradients(
    "cross-entropy",
    [[5, 7]],
    (x) => crossEntropy(x, Int32Array.of(6, 0, 3, 2, 1)),
  ),
  "mean over tokens": valueAndGradients("mean over tokens", [[3, 7, 10]], (x) => meanPool(x, 1, 5)),
  "sum with scaled images": valueAndGradients(
    "scaled images",
    [[3, 7, 13], [3, 7, 13]],
    (x, y) => addScaled(x, y, tf.tensor1d([0.5, 0, 1.25])),
  ),
  AdamW: () => {
    const [param, grad, expAvg] = ["param", "grad", "m"].map((name) =>
      randomTensor(name, [300]) as tf.Tensor1D
    );
    const step = { lr: 0.01, weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8, step: 3 } as const;
    return adamw(param, grad, expAvg, positive("v", [300]) as tf.Tensor1D, step);
  },
};

async function compute(probe: () => tf.Tensor[]): Promise<Float32Array[]> {
  const tensors = tf.tidy(probe);
  const values: Float32Array[] = [];
  for (const tensor of tensors) values.push(await tensor.data() as Float32Array);
  tf.dispose(tensors);
  return values;
}

const isClose = (value: number, expected: number) =>
  Math.abs(value - expected) <= 1e-5 + 1e-4 * Math.abs(expected);

/**
 * Tests the `webgpu` backend with `ops`. Both are in use afterwards.
 *
 * @returns the first wrong result, or null
 */
export async function selfTest(ops: NativeOps): Promise<string | null> {
  await tf.setBackend("cpu");
  useNative();
  const expected = new Map<string, Float32Array[]>();
  for (const [name, probe] of Object.entries(PROBES)) expected.set(name, await compute(probe));
  await tf.setBackend("webgpu");
  useNative(ops);
  for (const [name, probe] of Object.entries(PROBES)) {
    const results = await compute(probe);
    for (const [output, values] of expected.get(name)!.entries()) {
      const wrong = values.findIndex((value, i) => !isClose(results[output][i], value));
      if (wrong >= 0) {
        const tested = output === 0 ? name : `gradient ${output} of ${name}`;
        return `its self-test of ${tested} returned ${results[output][wrong]} instead of ${values[wrong]}`;
      }
    }
  }
  return null;
}
