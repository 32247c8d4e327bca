import * as tf from "@tensorflow/tfjs-core";

/** A fused operation's value, and how its gradient comes from what it saved. */
export interface Fused {
  readonly value: tf.Tensor;
  /** @returns the gradient of each input, in their order; bare for one */
  gradient(dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor | tf.Tensor[];
}

/**
 * Runs operations as one with a gradient of its own: what is inside `compute` is not recorded for differentiation.
 *
 * @param inputs the tensors that get a gradient
 * @param compute the composition; what the gradient needs goes through `save`
 */
export function fused<T extends tf.Tensor>(
  inputs: tf.Tensor[],
  compute: (save: (tensors: tf.Tensor[]) => void) => Fused,
): T {
  const op = tf.customGrad((...args) => {
    const { value, gradient } = compute(args.at(-1) as tf.GradSaveFunc);
    return { value, gradFunc: (dy, saved) => gradient(dy as tf.Tensor, saved) };
  });
  return op(...inputs) as T;
}
