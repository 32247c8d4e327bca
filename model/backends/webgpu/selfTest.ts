/**
 * Known answers: every program's results and gradients beside those of TensorFlow.js on the processor. Drivers differ,
 * and a wrong one does not say so.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { randomMasking } from "../../masking.ts";
import { adamw } from "../../ops/adamw.ts";
import { attention } from "../../ops/attention.ts";
import { crossEntropy } from "../../ops/crossEntropy.ts";
import { gelu } from "../../ops/gelu.ts";
import { layerNorm } from "../../ops/layerNorm.ts";
import { linear } from "../../ops/linear.ts";
import { maskedLoss } from "../../ops/maskedLoss.ts";
import { meanPool } from "../../ops/meanPool.ts";
import { type NativeOps, useNative } from "../../ops/native.ts";
import { unshuffle } from "../../ops/unshuffle.ts";
import { normal, uniform } from "../../random.ts";
import { type Shape, sizeOf } from "../../shape.ts";

const numbers = (name: string, shape: Shape) =>
  tf.tensor(normal({ seed: 1, purpose: `self-test/${name}` }, sizeOf(shape)), [...shape]);
const positive = (name: string, shape: Shape) => tf.abs(numbers(name, shape));

// deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
type Operation = (...inputs: any[]) => tf.Tensor;

/** An operation's value and the gradients of its inputs. */
function whole(name: string, shapes: readonly Shape[], op: Operation): () => tf.Tensor[] {
  return () => {
    const inputs = shapes.map((shape, at) => numbers(`${name}/${at}`, shape));
    const value = op(...inputs), dy = numbers(`${name}/dy`, value.shape);
    return [value, ...tf.grads((...x) => op(...x) as tf.Scalar)(inputs, dy as tf.Scalar)];
  };
}

const masking = randomMasking(uniform({ seed: 1, purpose: "self-test/mask" }, 2 * 9), 2, 9, 0.5);
const kept = (name: string, shape: Shape) =>
  tf.mul(tf.cast(tf.greater(numbers(name, shape), -1), "float32"), 1.2);

/** What is tried; sizes are no multiples of a workgroup's. No answer is zero. */
const PROBES: Readonly<Record<string, () => tf.Tensor[]>> = {
  linear: whole("linear", [[150, 37], [45, 37], [45]], linear),
  gelu: whole("gelu", [[300]], gelu),
  "layer norm": whole("layer norm", [[11, 20], [20], [20]], layerNorm),
  "layer norm of wide rows": whole("wide rows", [[5, 300], [300], [300]], layerNorm),
  attention: whole("attention", [[2, 37, 3 * 16]], (qkv) => attention(qkv, 2)),
  "attention with dropout": whole(
    "dropped",
    [[2, 5, 3 * 6]],
    (qkv) => attention(qkv, 2, kept("kept", [4, 5, 5]) as tf.Tensor3D),
  ),
  unshuffle: whole(
    "unshuffle",
    [[2, masking.keep, 12], [1, 1, 12]],
    (x, token) => unshuffle(x, token, masking),
  ),
  "masked loss": whole(
    "masked loss",
    [[2, 9, 500]],
    (x) => maskedLoss(x, numbers("goal", [2, 9, 500]) as tf.Tensor3D, tf.tensor2d(masking.mask, [2, 9])),
  ),
  "cross-entropy": whole("cross-entropy", [[5, 7]], (x) => crossEntropy(x, Int32Array.of(6, 0, 3, 2, 1))),
  "mean over tokens": whole("mean over tokens", [[3, 7, 10]], meanPool),
  AdamW: () => {
    const [param, grad, expAvg] = ["param", "grad", "m"].map((name) => numbers(name, [300]) as tf.Tensor1D);
    const step = { lr: 0.01, weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8, step: 3 } as const;
    return adamw(param, grad, expAvg, positive("v", [300]) as tf.Tensor1D, step);
  },
};

async function answers(probe: () => tf.Tensor[]): Promise<Float32Array[]> {
  const tensors = tf.tidy(probe);
  const values: Float32Array[] = [];
  for (const tensor of tensors) values.push(await tensor.data() as Float32Array);
  tf.dispose(tensors);
  return values;
}

const near = (ours: number, theirs: number) => Math.abs(ours - theirs) <= 1e-5 + 1e-4 * Math.abs(theirs);

/**
 * Tries the backend `webgpu`, which is the one in use afterwards; so are `ops`.
 *
 * @returns what it gets wrong, or null
 */
export async function selfTest(ops: NativeOps): Promise<string | null> {
  await tf.setBackend("cpu");
  useNative();
  const expected = new Map<string, Float32Array[]>();
  for (const [name, probe] of Object.entries(PROBES)) expected.set(name, await answers(probe));
  await tf.setBackend("webgpu");
  useNative(ops);
  for (const [name, probe] of Object.entries(PROBES)) {
    const ours = await answers(probe);
    for (const [at, theirs] of expected.get(name)!.entries()) {
      const wrong = theirs.findIndex((value, i) => !near(ours[at][i], value));
      if (wrong >= 0) {
        const what = at === 0 ? name : `gradient ${at} of ${name}`;
        return `its self-test of ${what} gave ${ours[at][wrong]} instead of ${theirs[wrong]}`;
      }
    }
  }
  return null;
}
