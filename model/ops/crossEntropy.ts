import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Mean cross-entropy between logits and class indices (`torch.nn.functional.cross_entropy`).
 *
 * @param logits `[batch, classes]`
 * @param labels `[batch]`, 0 to classes - 1
 * @returns a scalar
 */
export function crossEntropy(logits: tf.Tensor2D, labels: Int32Array): tf.Scalar {
  const [batch, classes] = logits.shape;
  return fused([logits], (save) => {
    const kernel = native().crossEntropy;
    if (kernel) {
      const [value, grad] = kernel.forward(logits, tf.tensor1d(labels, "int32"));
      save([grad]);
      return { value, gradient: (dy, [grad]) => kernel.gradient(grad, dy) };
    }
    const oneHot = new Float32Array(batch * classes);
    labels.forEach((label, row) => oneHot[row * classes + label] = 1);
    const target = tf.tensor2d(oneHot, [batch, classes]);
    const shifted = tf.sub(logits, tf.max(logits, 1, true));
    const exps = tf.exp(shifted);
    const sums = tf.sum(exps, 1, true);
    save([tf.sub(tf.div(exps, sums), target)]);
    const value = tf.mean(tf.sub(tf.log(tf.squeeze(sums, [1])), tf.sum(tf.mul(shifted, target), 1)));
    const gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(saved[0], tf.mul(dy, 1 / batch));
    return { value, gradient };
  });
}
