import * as tf from "@tensorflow/tfjs-core";

/** Numbers of one AdamW step. */
export interface AdamWStep {
  /** Learning rate of this step. */
  readonly lr: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Count of steps including this one, from 1. */
  readonly step: number;
}

/**
 * One step of AdamW (Loshchilov & Hutter 2019) with the operations and their order of `torch.optim.AdamW`, over one
 * flat buffer of parameters.
 *
 * @param param `[size]`
 * @param grad `[size]`
 * @param expAvg `[size]`: first moment
 * @param expAvgSq `[size]`: second moment
 * @returns new `[param, expAvg, expAvgSq]`; the old ones are left to the caller
 */
export function adamw(
  param: tf.Tensor1D,
  grad: tf.Tensor1D,
  expAvg: tf.Tensor1D,
  expAvgSq: tf.Tensor1D,
  { lr, weightDecay, betas: [beta1, beta2], eps, step }: AdamWStep,
): [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D] {
  return tf.tidy(() => {
    const decayed = tf.mul(param, 1 - lr * weightDecay);
    const m = tf.add(expAvg, tf.mul(tf.sub(grad, expAvg), 1 - beta1)) as tf.Tensor1D;
    const v = tf.add(tf.mul(expAvgSq, beta2), tf.mul(tf.square(grad), 1 - beta2)) as tf.Tensor1D;
    const stepSize = lr / (1 - beta1 ** step);
    const denominator = tf.add(tf.div(tf.sqrt(v), Math.sqrt(1 - beta2 ** step)), eps);
    return [tf.sub(decayed, tf.mul(tf.div(m, denominator), stepSize)) as tf.Tensor1D, m, v];
  });
}
