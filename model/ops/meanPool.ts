import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Mean over the tokens (global average pooling).
 *
 * @param x `[batch, tokens, dim]`
 * @returns `[batch, dim]`
 */
export function meanPool(x: tf.Tensor3D): tf.Tensor2D {
  const [batch, tokens, dim] = x.shape;
  const kernel = native().meanPool;
  if (kernel) {
    return fused([x], () => ({
      value: kernel.forward(x),
      gradient: (dy) => kernel.gradient(dy, tokens),
    }));
  }
  return fused([x], () => ({
    value: tf.mean(x, 1),
    gradient: (dy) => {
      const spread = tf.mul(tf.ones([1, tokens, 1]), 1 / tokens);
      return tf.mul(tf.reshape(dy, [batch, 1, dim]), spread); // [batch, tokens, dim]
    },
  }));
}
