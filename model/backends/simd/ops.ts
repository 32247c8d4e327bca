/**
 * The kernels as operations on TensorFlow.js tensors.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../../ops/native.ts";
import type { SpecName } from "./specs.ts";

/** Runs a kernel. An undefined input is absent. */
function run(
  name: SpecName,
  inputs: Record<string, tf.Tensor | undefined>,
  attributes: Record<string, number> = {},
  // deno-lint-ignore no-explicit-any -- the types of the operations define the ranks
): any[] {
  const present = Object.fromEntries(Object.entries(inputs).filter(([, tensor]) => tensor));
  return tf.engine().runKernel(
    name,
    present as unknown as tf.NamedTensorMap,
    attributes,
  ) as unknown as tf.Tensor[];
}

/** The operations of the simd backend. */
export const SIMD_OPS: NativeOps = {
  linear: {
    forward: (x, weight, bias) => run("UnmaskLinear", { x, weight, bias })[0],
    gradient: (dy, x, weight) => {
      const [dWeight, dBias] = run("UnmaskLinearDw", { dy, x });
      return [run("UnmaskLinearDx", { dy, weight })[0], dWeight, dBias];
    },
  },
  attention: {
    forward: (qkv, heads, factors) =>
      run("UnmaskAttention", { qkv, factors }, { heads }) as [tf.Tensor3D, tf.Tensor],
    gradient: (dy, qkv, [weights], heads, factors) =>
      run("UnmaskAttentionDx", { dy, qkv, weights, factors }, { heads })[0],
  },
  gelu: {
    forward: (x) => run("UnmaskGelu", { x }) as [tf.Tensor, tf.Tensor],
  },
  layerNorm: {
    forward: (x, weight, bias, eps) =>
      run("UnmaskLayerNorm", { x, weight, bias }, { eps }) as [tf.Tensor, tf.Tensor, tf.Tensor],
    gradient: (dy, normed, scale, weight) =>
      run("UnmaskLayerNormDx", { dy, normed, scale, weight }) as [tf.Tensor, tf.Tensor, tf.Tensor],
  },
  unshuffle: {
    forward: (visible, token, restoreRows) => run("UnmaskUnshuffle", { visible, token, restoreRows })[0],
    gradient: (dy, keepRows, mask) =>
      run("UnmaskUnshuffleDx", { dy, keepRows, mask }) as [tf.Tensor, tf.Tensor],
  },
  maskedLoss: {
    forward: (pred, target, mask) =>
      run("UnmaskMaskedLoss", { pred, target, mask }) as [tf.Scalar, tf.Tensor],
    gradient: (grad, dy) => run("UnmaskScale", { x: grad, factor: dy })[0],
  },
  crossEntropy: {
    forward: (logits, labels) => run("UnmaskCrossEntropy", { logits, labels }) as [tf.Scalar, tf.Tensor],
    gradient: (grad, dy) => run("UnmaskScale", { x: grad, factor: dy })[0],
  },
  meanPool: {
    forward: (x, first, count) => run("UnmaskMeanPool", { x }, { first, count })[0],
    gradient: (dy, tokens, first, count) => run("UnmaskMeanPoolDx", { dy }, { tokens, first, count })[0],
  },
  addScaled: {
    forward: (x, y, factors) => run("UnmaskAddScaled", { x, y, factors })[0],
    gradient: (dy, factors) => run("UnmaskScaleRows", { x: dy, factors })[0],
  },
};
