/**
 * A loss and its gradient for every trainable parameter.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { AdamW } from "./optimizer.ts";
import type { Weights } from "../transformer.ts";

/** A loss (scalar) and its gradients, each `[size]`, as the optimiser takes them. The caller disposes all. */
export interface LossAndGradient {
  readonly loss: tf.Scalar;
  readonly gradients: readonly tf.Tensor1D[];
}

/**
 * Runs a loss forward and backward.
 *
 * @param frozen parameters the loss needs that get no gradient
 */
export function lossAndGradient(
  optimizer: AdamW,
  frozen: Weights,
  loss: (weights: Weights) => tf.Scalar,
): LossAndGradient {
  return tf.tidy(() => {
    const run = tf.valueAndGrads((...tensors) => loss({ ...frozen, ...optimizer.name(tensors) }));
    const { value, grads } = run([...optimizer.tensors]);
    return { loss: value as tf.Scalar, gradients: optimizer.gather(grads) } as never;
  });
}
