import * as tf from "@tensorflow/tfjs-core";

/** The value of a fused operation and its gradient. */
export interface Fused {
  readonly value: tf.Tensor;
  /** Returns the gradient of each input in their order, or a single tensor for one input. */
  gradient(dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor | tf.Tensor[];
}

/**
 * Runs operations as one operation with a custom gradient. TensorFlow.js does not record those inside `compute`.
 *
 * @param inputs the tensors that get a gradient
 * @param compute returns value and gradient; it passes the tensors that the gradient needs to `save`
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
