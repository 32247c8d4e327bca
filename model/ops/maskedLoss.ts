import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Mean squared error over the masked patches only (He et al. 2022, section 3).
 *
 * @param pred `[batch, N, P·P·C]`
 * @param target `[batch, N, P·P·C]`, a constant
 * @param mask `[batch, N]`: 1 = masked; a constant
 * @returns a scalar: the mean over masked patches of each patch's mean squared error
 */
export function maskedLoss(pred: tf.Tensor3D, target: tf.Tensor3D, mask: tf.Tensor2D): tf.Scalar {
  const [batch, patches, dim] = pred.shape;
  return fused([pred], (save) => {
    const kernel = native().maskedLoss;
    if (kernel) {
      const rows = [pred, target].map((x) => tf.reshape(x, [batch * patches, dim])) as tf.Tensor2D[];
      const [value, grad] = kernel.forward(rows[0], rows[1], tf.reshape(mask, [batch * patches]));
      save([grad]);
      return { value, gradient: (dy, [grad]) => tf.reshape(kernel.gradient(grad, dy), pred.shape) };
    }
    const error = tf.mul(tf.sub(pred, target), tf.expandDims(mask, 2));
    const maskedCount = tf.sum(mask);
    save([error, maskedCount]);
    const value = tf.div(tf.sum(tf.mean(tf.square(error), -1)), maskedCount);
    const gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [error, maskedCount] = saved;
      return tf.mul(error, tf.div(tf.mul(dy, 2 / dim), maskedCount));
    };
    return { value, gradient };
  });
}
