import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Linear layer `y = x · Wᵀ + b` (`torch.nn.Linear`).
 *
 * The composition transposes explicitly: on the WebAssembly backend, `matMul` is eight times faster without its
 * transpose flags.
 *
 * @param x `[..., in]`
 * @param weight `[out, in]`
 * @param bias `[out]`
 * @returns `[..., out]`
 */
export function linear<T extends tf.Tensor>(x: T, weight: tf.Tensor2D, bias: tf.Tensor1D): T {
  const [outDim, inDim] = weight.shape;
  const rows = x.size / inDim;
  return fused([x, weight, bias], (save) => {
    const flat = tf.reshape(x, [rows, inDim]) as tf.Tensor2D; // [rows, in]
    save([flat, weight]);
    const kernel = native().linear;
    const value = kernel
      ? kernel.forward(flat, weight, bias)
      : tf.add(tf.matMul(flat, tf.transpose(weight)), bias); // [rows, out]
    const gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [flat, w] = saved as [tf.Tensor2D, tf.Tensor2D];
      const dFlat = tf.reshape(dy, [rows, outDim]) as tf.Tensor2D;
      if (kernel) {
        const [dx, dWeight, dBias] = kernel.gradient(dFlat, flat, w);
        return [tf.reshape(dx, x.shape), dWeight, dBias];
      }
      const dx = tf.reshape(tf.matMul(dFlat, w), x.shape);
      const dWeight = tf.matMul(tf.transpose(dFlat), flat);
      return [dx, dWeight, tf.sum(dFlat, 0)];
    };
    return { value: tf.reshape(value, [...x.shape.slice(0, -1), outDim]), gradient };
  });
}
