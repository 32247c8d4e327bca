import * as tf from "@tensorflow/tfjs-core";
import { type AdamWStep, native } from "./native.ts";

/** The scalars of a step, in the order in which `torch.optim.AdamW` uses them. */
export interface AdamWScalars {
  /** 1 - lr · weight decay. */
  readonly decay: number;
  readonly oneMinusBeta1: number;
  readonly beta2: number;
  readonly oneMinusBeta2: number;
  /** sqrt(1 - beta2^step). */
  readonly biasCorrection2Sqrt: number;
  readonly eps: number;
  /** lr / (1 - beta1^step). */
  readonly stepSize: number;
}

/** Computes the scalars of a step. */
export function adamwScalars({ lr, weightDecay, betas: [beta1, beta2], eps, step }: AdamWStep): AdamWScalars {
  return {
    decay: 1 - lr * weightDecay,
    oneMinusBeta1: 1 - beta1,
    beta2,
    oneMinusBeta2: 1 - beta2,
    biasCorrection2Sqrt: Math.sqrt(1 - beta2 ** step),
    eps,
    stepSize: lr / (1 - beta1 ** step),
  };
}

/**
 * Computes one step of AdamW (Loshchilov & Hutter 2019) over a flat buffer of parameters. The operations and their
 * order are those of `torch.optim.AdamW`.
 *
 * @param param `[size]`
 * @param grad `[size]`
 * @param expAvg `[size]`: first moment
 * @param expAvgSq `[size]`: second moment
 * @returns new tensors `[param, expAvg, expAvgSq]`; the caller disposes the old ones
 */
export function adamw(
  param: tf.Tensor1D,
  grad: tf.Tensor1D,
  expAvg: tf.Tensor1D,
  expAvgSq: tf.Tensor1D,
  step: AdamWStep,
): [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D] {
  const kernel = native().adamw;
  if (kernel) return kernel(param, grad, expAvg, expAvgSq, step);
  const { decay, oneMinusBeta1, beta2, oneMinusBeta2, biasCorrection2Sqrt, eps, stepSize } = adamwScalars(
    step,
  );
  return tf.tidy(() => {
    const decayed = tf.mul(param, decay);
    const m = tf.add(expAvg, tf.mul(tf.sub(grad, expAvg), oneMinusBeta1)) as tf.Tensor1D;
    const v = tf.add(tf.mul(expAvgSq, beta2), tf.mul(tf.square(grad), oneMinusBeta2)) as tf.Tensor1D;
    const denominator = tf.add(tf.div(tf.sqrt(v), biasCorrection2Sqrt), eps);
    return [tf.sub(decayed, tf.mul(tf.div(m, denominator), stepSize)) as tf.Tensor1D, m, v];
  });
}
