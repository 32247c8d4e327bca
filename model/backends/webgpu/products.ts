/**
 * Matrix products by TensorFlow.js's own programs.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";

/** Name of TensorFlow.js's setting of the program for products, its value for tiles of 32 x 32, and for its choice. */
const PROGRAM = "WEBGPU_MATMUL_PROGRAM_TYPE", TILES = 3, CHOICE = -1;
/** Terms of a sum from which TensorFlow.js cuts it into shares that are added as they come: other bits each time. */
const MANY_TERMS = 2000;

/** `x · w (+ bias)`, or with `wᵀ`, in one run. */
export function product(
  x: tf.Tensor2D,
  w: tf.Tensor2D,
  transposed: boolean,
  bias?: tf.Tensor1D,
): tf.Tensor2D {
  const inputs = bias ? { a: x, b: w, bias } : { a: x, b: w };
  tf.env().set(PROGRAM, x.shape[1] < MANY_TERMS ? CHOICE : TILES);
  return tf.engine().runKernel(
    bias ? "_FusedMatMul" : "BatchMatMul",
    inputs as unknown as tf.NamedTensorMap,
    { transposeA: false, transposeB: transposed, activation: "linear" },
  ) as tf.Tensor2D;
}
