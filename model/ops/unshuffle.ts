import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";
import type { Masking } from "../masking.ts";

/**
 * Puts visible tokens back in their places and the mask token everywhere else (tutorial step 6).
 *
 * Every visible token stands in exactly one place, so its gradient is a gather too: no scatter, which the WebAssembly
 * backend lacks.
 *
 * @param visible `[batch, K, dim]`
 * @param maskToken `[1, 1, dim]`
 * @returns `[batch, N, dim]`
 */
export function unshuffle(visible: tf.Tensor3D, maskToken: tf.Tensor3D, masking: Masking): tf.Tensor3D {
  const { batch, keep, patches, keepRows, restoreRows, mask } = masking;
  const dim = maskToken.shape[2];
  return fused([visible, maskToken], () => {
    const rows = tf.reshape(visible, [batch * keep, dim]) as tf.Tensor2D;
    const own = native().unshuffle;
    const value = own
      ? own.forward(rows, tf.reshape(maskToken, [dim]) as tf.Tensor1D, tf.tensor1d(restoreRows, "int32"))
      : gatherOrToken(rows, tf.reshape(maskToken, [1, dim]), restoreRows);
    const gradient = (dy: tf.Tensor) => {
      const flat = tf.reshape(dy, [batch * patches, dim]) as tf.Tensor2D;
      const to = tf.tensor1d(keepRows, "int32"), masked = tf.tensor1d(mask);
      const [dVisible, dToken] = own
        ? own.gradient(flat, to, masked)
        : [tf.gather(flat, to), tf.sum(tf.mul(flat, tf.expandDims(masked, 1)), 0)];
      return [tf.reshape(dVisible, [batch, keep, dim]), tf.reshape(dToken, [1, 1, dim])];
    };
    return { value: tf.reshape(value, [batch, patches, dim]), gradient };
  });
}

/** Rows by index; the token for index -1. */
function gatherOrToken(rows: tf.Tensor2D, token: tf.Tensor, from: Int32Array): tf.Tensor {
  const last = rows.shape[0];
  return tf.gather(tf.concat([rows, token]), tf.tensor1d(from.map((row) => row < 0 ? last : row), "int32"));
}
