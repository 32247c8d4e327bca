import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/**
 * Exact GELU, `x · Φ(x)` (`torch.nn.GELU()`; Hendrycks & Gimpel 2016), not its tanh approximation.
 *
 * @param x any shape
 */
export function gelu<T extends tf.Tensor>(x: T): T {
  return fused([x], (save) => {
    const kernel = native().gelu;
    if (kernel) {
      const [value, derivative] = kernel.forward(x);
      save([derivative]);
      return { value, gradient: (dy, [derivative]) => tf.mul(dy, derivative) };
    }
    const cdf = tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5); // Φ(x)
    save([x, cdf]);
    const gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [input, cdf] = saved;
      const density = tf.mul(tf.exp(tf.mul(tf.square(input), -0.5)), 1 / Math.sqrt(2 * Math.PI)); // φ(x)
      return tf.mul(dy, tf.add(cdf, tf.mul(input, density)));
    };
    return { value: tf.mul(x, cdf), gradient };
  });
}
