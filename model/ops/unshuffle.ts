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
  const { batch, keep, patches, idsKeep, idsRestore, mask } = masking;
  const dim = maskToken.shape[2];
  const token = batch * keep; // the mask token's row, behind all visible ones
  const take = native().takeRows ?? ((rows: tf.Tensor, at: tf.Tensor1D) => tf.gather(rows, at));
  return fused([visible, maskToken], () => {
    const rows = tf.concat([
      tf.reshape(visible, [batch * keep, dim]),
      tf.reshape(maskToken, [1, dim]),
    ]);
    const from = idsRestore.map((rank, i) => rank < keep ? Math.floor(i / patches) * keep + rank : token);
    const value = tf.reshape(take(rows, tf.tensor1d(from, "int32")), [batch, patches, dim]);
    const gradient = (dy: tf.Tensor) => {
      const flat = tf.reshape(dy, [batch * patches, dim]);
      const to = idsKeep.map((patch, i) => Math.floor(i / keep) * patches + patch);
      const dVisible = take(flat, tf.tensor1d(to, "int32"));
      const dToken = tf.sum(tf.mul(flat, tf.tensor2d(mask, [batch * patches, 1])), 0);
      return [tf.reshape(dVisible, [batch, keep, dim]), tf.reshape(dToken, [1, 1, dim])];
    };
    return { value, gradient };
  });
}
