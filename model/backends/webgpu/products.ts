/**
 * Matrix products with the programs of TensorFlow.js.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";

/** The flag of TensorFlow.js that selects its program for products, and two of its values. */
const PROGRAM_FLAG = "WEBGPU_MATMUL_PROGRAM_TYPE", TILES_OF_32 = 3, AUTOMATIC = -1;
/**
 * Length of a sum from which TensorFlow.js would split it and add the parts in the order in which they finish. The bits
 * of the result would differ between runs.
 */
const SPLIT_LENGTH = 2000;

/** Computes `x · w` or `x · wᵀ`, plus the bias if there is one, in one dispatch. */
export function product(
  x: tf.Tensor2D,
  w: tf.Tensor2D,
  transposed: boolean,
  bias?: tf.Tensor1D,
): tf.Tensor2D {
  const inputs = bias ? { a: x, b: w, bias } : { a: x, b: w };
  tf.env().set(PROGRAM_FLAG, x.shape[1] < SPLIT_LENGTH ? AUTOMATIC : TILES_OF_32);
  return tf.engine().runKernel(
    bias ? "_FusedMatMul" : "BatchMatMul",
    inputs as unknown as tf.NamedTensorMap,
    { transposeA: false, transposeB: transposed, activation: "linear" },
  ) as tf.Tensor2D;
}
