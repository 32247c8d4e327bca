import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Multi-head self-attention without the projections: `softmax(q · kᵀ / √d) · v` for each head.
 *
 * @param qkv `[batch, tokens, 3 · dim]`: the last axis has queries, keys and values, each by head
 * @param heads number of heads; divides `dim`
 * @param factors dropout factors of the attention weights, `[batch · heads, tokens, tokens]`: 0 or 1 / (1 - p)
 * @returns `[batch, tokens, dim]`
 */
export function attention(qkv: tf.Tensor3D, heads: number, factors?: tf.Tensor3D): tf.Tensor3D {
  const [batch, tokens, tripled] = qkv.shape;
  const dim = tripled / 3;
  const headDim = dim / heads;
  const scale = 1 / Math.sqrt(headDim);
  const swap = (x: tf.Tensor) => tf.transpose(x, [0, 2, 1]) as tf.Tensor3D;
  const drop = (weights: tf.Tensor, factors?: tf.Tensor) => factors ? tf.mul(weights, factors) : weights;

  const kernel = native().attention;
  if (kernel && kernel.supports?.(headDim) !== false) {
    return fused([qkv], (save) => {
      const [value, ...saved] = kernel.forward(qkv, heads, factors);
      save([qkv, ...saved, ...(factors ? [factors] : [])]);
      const gradient = (dy: tf.Tensor, [qkv, ...rest]: tf.Tensor[]) =>
        kernel.gradient(
          dy as tf.Tensor3D,
          qkv as tf.Tensor3D,
          rest.slice(0, saved.length),
          heads,
          rest[saved.length] as tf.Tensor3D | undefined,
        );
      return { value, gradient };
    });
  }
  return fused([qkv], (save) => {
    // Four axes, not five: the WebAssembly backend has a fast transpose for up to four.
    const byHead = tf.transpose(tf.reshape(qkv, [batch, tokens, 3 * heads, headDim]), [0, 2, 1, 3]);
    const [q, k, v] = tf.split(byHead, 3, 1).map((part) =>
      tf.reshape(part, [batch * heads, tokens, headDim]) as tf.Tensor3D
    );
    const weights = tf.softmax(tf.mul(tf.matMul(q, swap(k)), scale)) as tf.Tensor3D; // [batch·heads, tokens, tokens]
    save([q, k, v, weights, ...(factors ? [factors] : [])]);
    const mixed = tf.matMul(drop(weights, factors) as tf.Tensor3D, v); // [batch·heads, tokens, headDim]
    const value = tf.reshape(
      tf.transpose(tf.reshape(mixed, [batch, heads, tokens, headDim]), [0, 2, 1, 3]),
      [batch, tokens, dim],
    );
    const gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [q, k, v, weights, factors] = saved as tf.Tensor3D[];
      const dMixed = tf.reshape(
        tf.transpose(tf.reshape(dy, [batch, tokens, heads, headDim]), [0, 2, 1, 3]),
        [batch * heads, tokens, headDim],
      ) as tf.Tensor3D;
      const dv = tf.matMul(swap(drop(weights, factors)), dMixed);
      const dWeights = drop(tf.matMul(dMixed, swap(v)), factors);
      const rowSums = tf.sum(tf.mul(dWeights, weights), -1, true);
      const dScores = tf.mul(tf.mul(tf.sub(dWeights, rowSums), weights), scale) as tf.Tensor3D;
      const dq = tf.matMul(dScores, k);
      const dk = tf.matMul(swap(dScores), q);
      const parts = [dq, dk, dv].map((part) => tf.reshape(part, [batch, heads, tokens, headDim]));
      return tf.reshape(tf.transpose(tf.concat(parts, 1), [0, 2, 1, 3]), [batch, tokens, tripled]);
    };
    return { value, gradient };
  });
}
