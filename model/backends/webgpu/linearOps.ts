/**
 * Linear layers and layer norms on a device.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../../ops/native.ts";
import { layerNormCall, layerNormGradientCall } from "./kernels/layerNorm.ts";
import { ADD_SPLITS } from "./kernels/sums.ts";
import type { Launcher } from "./launcher.ts";
import { linearCall, linearGradientCall } from "./linearCalls.ts";
import { elementCall } from "./program.ts";

/** Adds partial gradients `[splits, ...]` of a weight and of a bias, and frees them. */
function addSplits(launcher: Launcher, weights: tf.Tensor, biases: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const [splits, ...weightShape] = weights.shape, [, biasSize] = biases.shape;
  const weightSize = weights.size / splits, shapes = [weightShape, [biasSize!]];
  const sums = splits === 1
    ? [weights, biases].map((tensor, i) => tf.reshape(tensor, shapes[i]))
    : launcher.run(elementCall(ADD_SPLITS, weightSize + biasSize!, [weightSize, biasSize!, splits]), {
      reads: [weights, biases],
      writes: shapes,
    });
  tf.dispose([weights, biases]);
  return sums as [tf.Tensor, tf.Tensor];
}

/** Returns the kernels of linear layers. */
export function linearOps(launcher: Launcher): NativeOps["linear"] {
  return {
    forward(x, weight, bias) {
      const [outDim, inDim] = weight.shape, [rows] = x.shape;
      const reads = [x, weight, bias];
      return launcher.run(linearCall(rows, outDim, inDim), {
        reads,
        writes: [[rows, outDim]],
      })[0] as tf.Tensor2D;
    },
    gradient(dy, x, weight) {
      const [outDim, inDim] = weight.shape, [rows] = x.shape;
      const call = linearGradientCall(rows, outDim, inDim), { splits } = call;
      const [dx, dWeights, dBiases] = launcher.run(call, {
        reads: [dy, x, weight],
        writes: [x.shape, [splits, outDim, inDim], [splits, outDim]],
      });
      return [dx, ...addSplits(launcher, dWeights, dBiases)] as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
    },
  };
}

/** Returns the kernels of layer norms. In place of the normed rows, the input is saved for the gradient. */
export function layerNormOps(launcher: Launcher): NativeOps["layerNorm"] {
  return {
    forward(x, weight, bias, eps) {
      const [rows, dim] = x.shape;
      const [value, moments] = launcher.run(layerNormCall(rows, dim!, eps), {
        reads: [x, weight, bias],
        writes: [x.shape, [rows, 2]],
      });
      return [value, x, moments];
    },
    gradient(dy, x, moments, weight) {
      const [rows, dim] = dy.shape, call = layerNormGradientCall(rows, dim!);
      const [dx, dWeights, dBiases] = launcher.run(call, {
        reads: [dy, x, moments, weight],
        writes: [dy.shape, [call.groups, dim!], [call.groups, dim!]],
      });
      return [dx, ...addSplits(launcher, dWeights, dBiases)];
    },
  };
}
