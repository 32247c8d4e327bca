/**
 * The operations that our kernels compute, as TensorFlow.js operations.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../../ops/native.ts";
import {
  ATTENTION,
  ATTENTION_DX,
  GELU,
  LAYER_NORM,
  LAYER_NORM_DX,
  LINEAR,
  LINEAR_DW,
  LINEAR_DX,
  TAKE_ROWS,
} from "./kernels.ts";

const run = <T>(
  name: string,
  inputs: Record<string, tf.Tensor>,
  attributes: Record<string, number> = {},
): T => tf.engine().runKernel(name, inputs as unknown as tf.NamedTensorMap, attributes) as T;

/** Operations on the kernels that `installKernels` has put into the backend. */
export const SIMD_OPS: NativeOps = {
  linear: {
    // Vectors of 4 values, two beside each other: what is no multiple of 8 is left to the composition.
    takes: (inDim, outDim) => inDim % 8 === 0 && outDim % 8 === 0,
    forward: (x, weight, bias) => run(LINEAR, { x, weight, bias }),
    gradient: (
      dy,
      x,
      weight,
    ) => [run(LINEAR_DX, { dy, weight }), ...run<[tf.Tensor2D, tf.Tensor1D]>(LINEAR_DW, { dy, x })],
  },
  attention: {
    takes: (dim, heads) => (dim / heads) % 8 === 0,
    forward: (qkv, heads) => run(ATTENTION, { qkv }, { heads }),
    gradient: (dy, qkv, weights, heads) => run(ATTENTION_DX, { dy, qkv, weights }, { heads }),
  },
  gelu: {
    takes: (size) => size % 4 === 0,
    forward: (x) => run(GELU, { x }),
  },
  layerNorm: {
    takes: (dim) => dim % 4 === 0,
    forward: (x, weight, bias) => run(LAYER_NORM, { x, weight, bias }),
    gradient: (dy, normed, scale, weight) => run(LAYER_NORM_DX, { dy, normed, scale, weight }),
  },
  takeRows: (x, indices) => run(TAKE_ROWS, { x, indices }),
};
