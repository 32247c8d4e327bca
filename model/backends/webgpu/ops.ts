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
import { ADD_SCALED, SCALE_IMAGES } from "./kernels/elementwise.ts";
import { GELU } from "./kernels/gelu.ts";
import { layerNormOps, linearOps } from "./linearOps.ts";
import { CROSS_ENTROPY, maskedLossCall, REDUCE_LOSS } from "./kernels/losses.ts";
import { MEAN_POOL, MEAN_POOL_GRADIENT } from "./kernels/meanPool.ts";
import { columnSumsCall } from "./kernels/sums.ts";
import { GATHER_ROWS, TOKEN_GRADIENT, UNSHUFFLE } from "./kernels/unshuffle.ts";
import type { Launcher } from "./launcher.ts";
import { elementCall } from "./program.ts";

/** Returns the operations of a device. */
export function webgpuOps(launcher: Launcher): NativeOps {
  const scaled = (grad: tf.Tensor, dy: tf.Tensor) => tf.mul(grad, dy);
  return {
    linear: linearOps(launcher),
    attention: attentionOps(launcher),
    gelu: {
      forward: (x) =>
        launcher.run(elementCall(GELU, x.size), { reads: [x], writes: [x.shape, x.shape] }) as [
          tf.Tensor,
          tf.Tensor,
        ],
    },
    layerNorm: layerNormOps(launcher),
    unshuffle: {
      forward(visible, token, restoreRows) {
        const dim = token.size, shape = [restoreRows.size, dim];
        return launcher.run(elementCall(UNSHUFFLE, sizeOf(shape), [dim]), {
          reads: [visible, token, restoreRows],
          writes: [shape],
        })[0] as tf.Tensor2D;
      },
      gradient(dy, keepRows, mask) {
        const [rows, dim] = dy.shape, shape = [keepRows.size, dim];
        const [dVisible] = launcher.run(elementCall(GATHER_ROWS, sizeOf(shape), [dim]), {
          reads: [dy, keepRows],
          writes: [shape],
        });
        const [dToken] = launcher.run(columnSumsCall(TOKEN_GRADIENT, rows, dim), {
          reads: [dy, mask],
          writes: [[dim]],
        });
        return [dVisible, dToken];
      },
    },
    maskedLoss: {
      forward(pred, target, mask) {
        const [rows, dim] = pred.shape, call = maskedLossCall(rows, dim), { groups } = call;
        const [partials, grad] = launcher.run(call, {
          reads: [pred, target, mask],
          writes: [groups === 1 ? [] : [groups], pred.shape],
        });
        if (groups === 1) return [partials as tf.Scalar, grad];
        const reduce = { program: REDUCE_LOSS, uniforms: [groups], groups: 1 };
        const [loss] = launcher.run(reduce, { reads: [partials], writes: [[]] });
        partials.dispose();
        return [loss as tf.Scalar, grad];
      },
      gradient: scaled,
    },
    crossEntropy: {
      forward: (logits, labels) =>
        launcher.run({ program: CROSS_ENTROPY, uniforms: logits.shape, groups: 1 }, {
          reads: [logits, labels],
          writes: [[], logits.shape],
        }) as [tf.Scalar, tf.Tensor],
      gradient: scaled,
    },
    meanPool: {
      forward(x, first, count) {
        const [batch, tokens, dim] = x.shape;
        return launcher.run(elementCall(MEAN_POOL, batch * dim, [tokens, first, count, dim]), {
          reads: [x],
          writes: [[batch, dim]],
        })[0] as tf.Tensor2D;
      },
      gradient(dy, tokens, first, count) {
        const [batch, dim] = dy.shape, shape = [batch, tokens, dim!];
        return launcher.run(elementCall(MEAN_POOL_GRADIENT, sizeOf(shape), [tokens, first, count, dim!]), {
          reads: [dy],
          writes: [shape],
        })[0];
      },
    },
    addScaled: {
      forward: (x, y, factors) =>
        launcher.run(elementCall(ADD_SCALED, x.size, [x.size / factors.size]), {
          reads: [x, y, factors],
          writes: [x.shape],
        })[0],
      gradient: (dy, factors) =>
        launcher.run(elementCall(SCALE_IMAGES, dy.size, [dy.size / factors.size]), {
          reads: [dy, factors],
          writes: [dy.shape],
        })[0],
    },
    adamw(param, grad, expAvg, expAvgSq, step) {
      const { decay, oneMinusBeta1, beta2, oneMinusBeta2, biasCorrection2Sqrt, eps, stepSize } = adamwScalars(
        step,
      );
      const uniforms = [decay, oneMinusBeta1, beta2, oneMinusBeta2, biasCorrection2Sqrt, eps, stepSize];
      return launcher.run(elementCall(ADAMW, param.size, uniforms), {
        reads: [param, grad, expAvg, expAvgSq],
        writes: [param.shape, param.shape, param.shape],
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
