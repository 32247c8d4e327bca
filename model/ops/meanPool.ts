import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Mean over `count` tokens from the token `first` on (global average pooling). A class token alone is `first` 0 and
 * `count` 1.
 *
 * @param x `[batch, tokens, dim]`
 * @returns `[batch, dim]`
 */
export function meanPool(x: tf.Tensor3D, first: number, count: number): tf.Tensor2D {
  const [batch, tokens, dim] = x.shape;
  const kernel = native().meanPool;
  if (kernel) {
    return fused([x], () => ({
      value: kernel.forward(x, first, count),
      gradient: (dy) => kernel.gradient(dy, tokens, first, count),
    }));
  }
  return fused([x], () => ({
    value: tf.mean(tf.slice(x, [0, first, 0], [batch, count, dim]), 1),
    gradient: (dy) => {
      const share = tf.reshape(tf.mul(dy, 1 / count), [batch, 1, dim]);
      const spread = tf.tile(share, [1, count, 1]); // [batch, count, dim]
      // Zeros, not products with zero: the other tokens get no NaN.
      return tf.pad(spread, [[0, 0], [first, tokens - first - count], [0, 0]]); // [batch, tokens, dim]
    },
  }));
}
