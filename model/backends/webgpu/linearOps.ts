/**
 * Linear layers on a device.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../../ops/native.ts";
import { REDUCE_WEIGHT_GRADIENT, STEP, TILE, WEIGHT_GRADIENT } from "./kernels/linear.ts";
import type { Launcher } from "./launcher.ts";
import { product } from "./products.ts";

/** Number of workgroups that is enough to occupy a GPU. */
const TARGET_GROUPS = 512;

/** Computes the gradients of weight and bias: in one dispatch, or in two if the rows are split. */
function weightGradient(launcher: Launcher, dy: tf.Tensor, x: tf.Tensor): [tf.Tensor2D, tf.Tensor1D] {
  const [rows, outDim] = dy.shape, inDim = x.shape[1]!;
  const tiles = Math.ceil(outDim! / TILE) * Math.ceil(inDim / TILE);
  const maxSplits = Math.min(Math.ceil(TARGET_GROUPS / tiles), Math.ceil(rows / (4 * STEP)));
  const splitRows = Math.ceil(rows / maxSplits / STEP) * STEP, splits = Math.ceil(rows / splitRows);
  const [dWeights, dBiases] = launcher.run(WEIGHT_GRADIENT, {
    reads: [dy, x],
    writes: splits === 1 ? [[outDim!, inDim], [outDim!]] : [[splits, outDim!, inDim], [splits, outDim!]],
    uniforms: [rows, outDim!, inDim, splitRows, splits * tiles],
    groups: splits * tiles,
  });
  if (splits === 1) return [dWeights as tf.Tensor2D, dBiases as tf.Tensor1D];
  const weightSize = outDim! * inDim;
  const [dWeight, dBias] = launcher.runElements(REDUCE_WEIGHT_GRADIENT, weightSize + outDim!, {
    reads: [dWeights, dBiases],
    writes: [[outDim!, inDim], [outDim!]],
    uniforms: [weightSize, outDim!, splits],
  });
  tf.dispose([dWeights, dBiases]);
  return [dWeight as tf.Tensor2D, dBias as tf.Tensor1D];
}

/** Returns the kernels of linear layers. */
export function linearOps(launcher: Launcher): NativeOps["linear"] {
  return {
    forward: (x, weight, bias) => product(x, weight, true, bias),
    gradient: (dy, x, weight) => [product(dy, weight, false), ...weightGradient(launcher, dy, x)],
  };
}
