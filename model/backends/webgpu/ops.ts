/**
 * The operations with the programs of `kernels/`.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { adamwScalars } from "../../ops/adamw.ts";
import type { NativeOps } from "../../ops/native.ts";
import { sizeOf } from "../../shape.ts";
import { ADAMW } from "./kernels/adamw.ts";
import { attentionOps } from "./attentionOps.ts";
import { GELU } from "./kernels/gelu.ts";
import { LAYER_NORM_SUMS, layerNormPrograms, normRows } from "./kernels/layerNorm.ts";
import { linearOps } from "./linearOps.ts";
import { CROSS_ENTROPY, lossGroups, MASKED_LOSS, REDUCE_LOSS } from "./kernels/losses.ts";
import { MEAN_POOL, MEAN_POOL_GRADIENT } from "./kernels/meanPool.ts";
import { SUM_COLUMNS } from "./kernels/sums.ts";
import { GATHER_ROWS, TOKEN_GRADIENT, UNSHUFFLE } from "./kernels/unshuffle.ts";
import type { Launcher } from "./launcher.ts";

/** Returns the operations of a device. */
export function webgpuOps(launcher: Launcher): NativeOps {
  const scaled = (grad: tf.Tensor, dy: tf.Tensor) => tf.mul(grad, dy);
  return {
    linear: linearOps(launcher),
    attention: attentionOps(launcher),
    gelu: {
      forward: (x) =>
        launcher.runElements(GELU, x.size, { reads: [x], writes: [x.shape, x.shape], uniforms: [] }) as [
          tf.Tensor,
          tf.Tensor,
        ],
    },
    layerNorm: {
      forward(x, weight, bias) {
        const [rows, dim] = x.shape;
        return launcher.run(layerNormPrograms(dim!).forward, {
          reads: [x, weight, bias],
          writes: [x.shape, x.shape, [rows]],
          uniforms: [rows, dim!],
          groups: Math.ceil(rows / normRows(dim!)),
        }) as [tf.Tensor, tf.Tensor, tf.Tensor];
      },
      gradient(dy, normed, scale, weight) {
        const [rows, dim] = dy.shape, uniforms = [rows, dim!];
        const [dx] = launcher.run(layerNormPrograms(dim!).gradient, {
          reads: [dy, normed, scale, weight],
          writes: [dy.shape],
          uniforms,
          groups: Math.ceil(rows / normRows(dim!)),
        });
        const [dWeight, dBias] = launcher.run(LAYER_NORM_SUMS, {
          reads: [dy, normed],
          writes: [[dim!], [dim!]],
          uniforms,
          groups: Math.ceil(dim! / SUM_COLUMNS),
        });
        return [dx, dWeight, dBias];
      },
    },
    unshuffle: {
      forward(visible, token, restoreRows) {
        const dim = token.size, shape = [restoreRows.size, dim];
        return launcher.runElements(UNSHUFFLE, sizeOf(shape), {
          reads: [visible, token, restoreRows],
          writes: [shape],
          uniforms: [dim],
        })[0] as tf.Tensor2D;
      },
      gradient(dy, keepRows, mask) {
        const [rows, dim] = dy.shape, shape = [keepRows.size, dim];
        const [dVisible] = launcher.runElements(GATHER_ROWS, sizeOf(shape), {
          reads: [dy, keepRows],
          writes: [shape],
          uniforms: [dim],
        });
        const [dToken] = launcher.run(TOKEN_GRADIENT, {
          reads: [dy, mask],
          writes: [[dim]],
          uniforms: [rows, dim],
          groups: Math.ceil(dim / SUM_COLUMNS),
        });
        return [dVisible, dToken];
      },
    },
    maskedLoss: {
      forward(pred, target, mask) {
        const [rows, dim] = pred.shape, groups = lossGroups(rows, dim);
        const [partials, grad] = launcher.run(MASKED_LOSS, {
          reads: [pred, target, mask],
          writes: [groups === 1 ? [] : [groups], pred.shape],
          uniforms: [rows, dim, groups],
          groups,
        });
        if (groups === 1) return [partials as tf.Scalar, grad];
        const [loss] = launcher.run(REDUCE_LOSS, {
          reads: [partials],
          writes: [[]],
          uniforms: [groups],
          groups: 1,
        });
        partials.dispose();
        return [loss as tf.Scalar, grad];
      },
      gradient: scaled,
    },
    crossEntropy: {
      forward: (logits, labels) =>
        launcher.run(CROSS_ENTROPY, {
          reads: [logits, labels],
          writes: [[], logits.shape],
          uniforms: [...logits.shape],
          groups: 1,
        }) as [tf.Scalar, tf.Tensor],
      gradient: scaled,
    },
    meanPool: {
      forward(x) {
        const [batch, tokens, dim] = x.shape;
        return launcher.runElements(MEAN_POOL, batch * dim, {
          reads: [x],
          writes: [[batch, dim]],
          uniforms: [tokens, dim],
        })[0] as tf.Tensor2D;
      },
      gradient(dy, tokens) {
        const [batch, dim] = dy.shape, shape = [batch, tokens, dim!];
        return launcher.runElements(MEAN_POOL_GRADIENT, sizeOf(shape), {
          reads: [dy],
          writes: [shape],
          uniforms: [tokens, dim!],
        })[0];
      },
    },
    adamw(param, grad, expAvg, expAvgSq, step) {
      const { decay, oneMinusBeta1, beta2, oneMinusBeta2, biasCorrection2Sqrt, eps, stepSize } = adamwScalars(
        step,
      );
      return launcher.runElements(ADAMW, param.size, {
        reads: [param, grad, expAvg, expAvgSq],
        writes: [param.shape, param.shape, param.shape],
        uniforms: [decay, oneMinusBeta1, beta2, oneMinusBeta2, biasCorrection2Sqrt, eps, stepSize],
      }) as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
    },
    flat: {
      concat(tensors) {
        const to = launcher.newTensor([tensors.reduce((sum, { size }) => sum + size, 0)]);
        let toOffset = 0;
        launcher.copy(tensors.map((from) => {
          const copy = { from, to, toOffset, size: from.size };
          toOffset += from.size;
          return copy;
        }));
        return to as tf.Tensor1D;
      },
      split(from, shapes) {
        let fromOffset = 0;
        const copies = shapes.map((shape) => {
          const copy = { from, fromOffset, to: launcher.newTensor(shape), size: sizeOf(shape) };
          fromOffset += copy.size;
          return copy;
        });
        launcher.copy(copies);
        return copies.map(({ to }) => to);
      },
    },
  };
}
