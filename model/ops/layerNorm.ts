import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Layer norm over the last axis with the biased variance (`torch.nn.LayerNorm`; Ba et al. 2016).
 *
 * @param x `[..., dim]`
 * @param weight `[dim]`
 * @param bias `[dim]`
 * @param eps added to the variance; PyTorch's default is 1e-5
 */
export function layerNorm<T extends tf.Tensor>(
  x: T,
  weight: tf.Tensor1D,
  bias: tf.Tensor1D,
  eps: number,
): T {
  const dim = weight.shape[0];
  const rows = x.size / dim;
  return fused([x, weight, bias], (save) => {
    const flat = tf.reshape(x, [rows, dim]);
    const kernel = native().layerNorm;
    if (kernel) {
      const [value, normed, scale] = kernel.forward(flat, weight, bias, eps);
      save([normed, scale, weight]);
      const gradient = (dy: tf.Tensor, [normed, scale, weight]: tf.Tensor[]) => {
        const [dx, dWeight, dBias] = kernel.gradient(tf.reshape(dy, [rows, dim]), normed, scale, weight);
        return [tf.reshape(dx, x.shape), dWeight, dBias];
      };
      return { value: tf.reshape(value, x.shape), gradient };
    }
    const centred = tf.sub(flat, tf.mean(flat, 1, true));
    const scale = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 1, true), eps)); // [rows, 1]
    const normed = tf.mul(centred, scale); // [rows, dim]
    save([normed, scale, weight]);
    const value = tf.add(tf.mul(normed, weight), bias);
    const gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [normed, scale, weight] = saved;
      const dFlat = tf.reshape(dy, [rows, dim]);
      const dNormed = tf.mul(dFlat, weight);
      const projection = tf.mul(normed, tf.mean(tf.mul(dNormed, normed), 1, true));
      const dx = tf.mul(tf.sub(tf.sub(dNormed, tf.mean(dNormed, 1, true)), projection), scale);
      return [tf.reshape(dx, x.shape), tf.sum(tf.mul(dFlat, normed), 0), tf.sum(dFlat, 0)];
    };
    return { value: tf.reshape(value, x.shape), gradient };
  });
}
