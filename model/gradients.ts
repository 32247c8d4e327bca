/**
 * A loss and its gradient for every trainable parameter.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { AdamW } from "./optimizer.ts";
import type { Weights } from "./transformer.ts";

/** A loss (scalar) and the flat gradient `[size]` in the order of the optimiser's specs. The caller disposes both. */
export interface LossAndGradient {
  readonly loss: tf.Scalar;
  readonly gradient: tf.Tensor1D;
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
    const gradient = tf.concat(grads.map((grad) => tf.reshape(grad, [-1]))) as tf.Tensor1D;
    return { loss: value as tf.Scalar, gradient } as never;
  });
}
