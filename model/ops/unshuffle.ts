import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";
import type { TokenOrder } from "../masking.ts";

/**
 * Puts encoded tokens in the order of an image and inserts a learned token where one is missing: the mask token for every
 * masked patch, or the class token.
 *
 * Each visible token occurs exactly once in the output, so its gradient is a gather too. A scatter is not needed; the
 * WebAssembly backend has none.
 *
 * @param visible `[batch, K, dim]`
 * @param token `[1, 1, dim]`
 * @returns `[batch, N, dim]`
 */
export function unshuffle(visible: tf.Tensor3D, token: tf.Tensor3D, order: TokenOrder): tf.Tensor3D {
  const { batch, keep, patches, keepRows, restoreRows, mask } = order;
  const dim = token.shape[2];
  return fused([visible, token], () => {
    const rows = tf.reshape(visible, [batch * keep, dim]) as tf.Tensor2D;
    const kernel = native().unshuffle;
    const value = kernel
      ? kernel.forward(rows, tf.reshape(token, [dim]) as tf.Tensor1D, tf.tensor1d(restoreRows, "int32"))
      : gatherOrToken(rows, tf.reshape(token, [1, dim]), restoreRows);
    const gradient = (dy: tf.Tensor) => {
      const flat = tf.reshape(dy, [batch * patches, dim]) as tf.Tensor2D;
      const rows = tf.tensor1d(keepRows, "int32"), masked = tf.tensor1d(mask);
      const [dVisible, dToken] = kernel
        ? kernel.gradient(flat, rows, masked)
        : [tf.gather(flat, rows), tf.sum(tf.mul(flat, tf.expandDims(masked, 1)), 0)];
      return [tf.reshape(dVisible, [batch, keep, dim]), tf.reshape(dToken, [1, 1, dim])];
    };
    return { value: tf.reshape(value, [batch, patches, dim]), gradient };
  });
}

/** Gathers rows by index; index -1 selects the token. */
function gatherOrToken(rows: tf.Tensor2D, token: tf.Tensor, indices: Int32Array): tf.Tensor {
  const tokenRow = rows.shape[0];
  const gathered = tf.tensor1d(indices.map((index) => index < 0 ? tokenRow : index), "int32");
  return tf.gather(tf.concat([rows, token]), gathered);
}
