/**
 * The loss of a step and its gradients.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { AdamW } from "./optimizer.ts";
import type { Weights } from "../transformer.ts";

/** A loss and its gradients, one flat tensor for each group of the optimiser. The caller disposes all of them. */
export interface LossAndGradient {
  readonly loss: tf.Scalar;
  readonly gradients: readonly tf.Tensor1D[];
}

/**
 * Computes a loss and its gradients.
 *
 * @param frozen parameters that get no gradient
 */
export function lossAndGradient(
  optimizer: AdamW,
  frozen: Weights,
  loss: (weights: Weights) => tf.Scalar,
): LossAndGradient {
  return tf.tidy(() => {
    const run = tf.valueAndGrads((...tensors) => loss({ ...frozen, ...optimizer.byName(tensors) }));
    const { value, grads } = run([...optimizer.tensors]);
    return { loss: value as tf.Scalar, gradients: optimizer.flatten(grads) } as never;
  });
}
