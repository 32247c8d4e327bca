/**
 * The operations that our programs compute, as TensorFlow.js operations.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { adamwNumbers } from "../../ops/adamw.ts";
import type { NativeOps } from "../../ops/native.ts";
import { sizeOf } from "../../shape.ts";
import { ADAMW } from "./kernels/adamw.ts";
import { attentionPrograms, attentionThreads, MAX_HEAD } from "./kernels/attention.ts";
import { GELU } from "./kernels/gelu.ts";
import { LAYER_NORM_SUMS, layerNormPrograms, normRows } from "./kernels/layerNorm.ts";
import { ADD_SHARES, STEP, TILE, WEIGHT_GRADIENT } from "./kernels/linear.ts";
import { ADD_LOSSES, CROSS_ENTROPY, lossShares, MASKED_ERRORS } from "./kernels/losses.ts";
import { MEAN_POOL, MEAN_POOL_GRADIENT } from "./kernels/meanPool.ts";
import { SUM_COLUMNS } from "./kernels/sums.ts";
import { GATHER_ROWS, TOKEN_GRADIENT, UNSHUFFLE } from "./kernels/unshuffle.ts";
import type { Launcher } from "./launcher.ts";
import { product } from "./products.ts";

/** Workgroups that keep a GPU busy. */
const BUSY = 512;

/** Gradients of weight and bias in one run, or in two where the rows are cut into shares. */
function weightGradient(launcher: Launcher, dy: tf.Tensor, x: tf.Tensor): [tf.Tensor2D, tf.Tensor1D] {
  const [rows, outDim] = dy.shape, inDim = x.shape[1]!;
  const tiles = Math.ceil(outDim! / TILE) * Math.ceil(inDim / TILE);
  const wanted = Math.min(Math.ceil(BUSY / tiles), Math.ceil(rows / (4 * STEP)));
  const share = Math.ceil(rows / wanted / STEP) * STEP, shares = Math.ceil(rows / share);
  const [dWeights, dBiases] = launcher.run(WEIGHT_GRADIENT, {
    reads: [dy, x],
    writes: shares === 1 ? [[outDim!, inDim], [outDim!]] : [[shares, outDim!, inDim], [shares, outDim!]],
    numbers: [rows, outDim!, inDim, share, shares * tiles],
    groups: shares * tiles,
  });
  if (shares === 1) return [dWeights as tf.Tensor2D, dBiases as tf.Tensor1D];
  const weightSize = outDim! * inDim;
  const [dWeight, dBias] = launcher.runElements(ADD_SHARES, weightSize + outDim!, {
    reads: [dWeights, dBiases],
    writes: [[outDim!, inDim], [outDim!]],
    numbers: [weightSize, outDim!, shares],
  });
  tf.dispose([dWeights, dBiases]);
  return [dWeight as tf.Tensor2D, dBias as tf.Tensor1D];
}

/** Programs, groups and numbers of an attention. */
function attentionRun({ shape: [batch, tokens, tripled] }: tf.Tensor3D, heads: number, drops: boolean) {
  const threads = attentionThreads(tokens),
    blocks = Math.ceil(tokens / threads),
    groups = batch * heads * blocks;
  return {
    programs: attentionPrograms({ size: tripled / 3 / heads, threads, drops }),
    groups,
    numbers: [tokens, heads, blocks, groups],
    value: [batch, tokens, tripled / 3],
    lines: [batch * heads, tokens],
  };
}

/** Operations on the programs of `kernels/`. */
export function webgpuOps(launcher: Launcher): NativeOps {
  const scaled = (slope: tf.Tensor, dy: tf.Tensor) => tf.mul(slope, dy);
  return {
    linear: {
      forward: (x, weight, bias) => product(x, weight, true, bias),
      gradient: (dy, x, weight) => [product(dy, weight, false), ...weightGradient(launcher, dy, x)],
    },
    attention: {
      supports: (headSize) => headSize <= MAX_HEAD,
      forward(qkv, heads, factors) {
        const { programs, groups, numbers, value, lines } = attentionRun(qkv, heads, Boolean(factors));
        const reads = [qkv, ...(factors ? [factors] : [])];
        const [mixed, sums] = launcher.run(programs.forward, {
          reads,
          writes: [value, lines],
          numbers,
          groups,
        });
        return [mixed as tf.Tensor3D, sums, mixed];
      },
      gradient(dy, qkv, [sums, value], heads, factors) {
        const { programs, groups, numbers, lines } = attentionRun(qkv, heads, Boolean(factors));
        const more = factors ? [factors] : [];
        const [dqkv, along] = launcher.run(programs.queries, {
          reads: [qkv, dy, value, sums, ...more],
          writes: [qkv.shape, lines],
          numbers,
          groups,
        });
        launcher.run(programs.keys, {
          reads: [qkv, dy, sums, along, ...more],
          writes: [dqkv],
          numbers,
          groups,
        });
        along.dispose();
        return dqkv as tf.Tensor3D;
      },
    },
    gelu: {
      forward: (x) =>
        launcher.runElements(GELU, x.size, { reads: [x], writes: [x.shape, x.shape], numbers: [] }) as [
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
          numbers: [rows, dim!],
          groups: Math.ceil(rows / normRows(dim!)),
        }) as [tf.Tensor, tf.Tensor, tf.Tensor];
      },
      gradient(dy, normed, scale, weight) {
        const [rows, dim] = dy.shape, numbers = [rows, dim!];
        const [dx] = launcher.run(layerNormPrograms(dim!).gradient, {
          reads: [dy, normed, scale, weight],
          writes: [dy.shape],
          numbers,
          groups: Math.ceil(rows / normRows(dim!)),
        });
        const [dWeight, dBias] = launcher.run(LAYER_NORM_SUMS, {
          reads: [dy, normed],
          writes: [[dim!], [dim!]],
          numbers,
          groups: Math.ceil(dim! / SUM_COLUMNS),
        });
        return [dx, dWeight, dBias];
      },
    },
    unshuffle: {
      forward(visible, token, from) {
        const dim = token.size, shape = [from.size, dim];
        return launcher.runElements(UNSHUFFLE, sizeOf(shape), {
          reads: [visible, token, from],
          writes: [shape],
          numbers: [dim],
        })[0] as tf.Tensor2D;
      },
      gradient(dy, to, mask) {
        const [rows, dim] = dy.shape, shape = [to.size, dim];
        const [dVisible] = launcher.runElements(GATHER_ROWS, sizeOf(shape), {
          reads: [dy, to],
          writes: [shape],
          numbers: [dim],
        });
        const [dToken] = launcher.run(TOKEN_GRADIENT, {
          reads: [dy, mask],
          writes: [[dim]],
          numbers: [rows, dim],
          groups: Math.ceil(dim / SUM_COLUMNS),
        });
        return [dVisible, dToken];
      },
    },
    maskedLoss: {
      forward(pred, target, mask) {
        const [rows, dim] = pred.shape, groups = lossShares(rows, dim);
        const [shares, slope] = launcher.run(MASKED_ERRORS, {
          reads: [pred, target, mask],
          writes: [groups === 1 ? [] : [groups], pred.shape],
          numbers: [rows, dim, groups],
          groups,
        });
        if (groups === 1) return [shares as tf.Scalar, slope];
        const [loss] = launcher.run(ADD_LOSSES, {
          reads: [shares],
          writes: [[]],
          numbers: [groups],
          groups: 1,
        });
        shares.dispose();
        return [loss as tf.Scalar, slope];
      },
      gradient: scaled,
    },
    crossEntropy: {
      forward: (logits, labels) =>
        launcher.run(CROSS_ENTROPY, {
          reads: [logits, labels],
          writes: [[], logits.shape],
          numbers: [...logits.shape],
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
          numbers: [tokens, dim],
        })[0] as tf.Tensor2D;
      },
      gradient(dy, tokens) {
        const [batch, dim] = dy.shape, shape = [batch, tokens, dim!];
        return launcher.runElements(MEAN_POOL_GRADIENT, sizeOf(shape), {
          reads: [dy],
          writes: [shape],
          numbers: [tokens, dim!],
        })[0];
      },
    },
    adamw(param, grad, expAvg, expAvgSq, step) {
      const { decay, oneMinusBeta1, beta2, oneMinusBeta2, correction, eps, size } = adamwNumbers(step);
      return launcher.runElements(ADAMW, param.size, {
        reads: [param, grad, expAvg, expAvgSq],
        writes: [param.shape, param.shape, param.shape],
        numbers: [decay, oneMinusBeta1, beta2, oneMinusBeta2, correction, eps, size],
      }) as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
    },
    flat: {
      concat(tensors) {
        const to = launcher.newTensor([tensors.reduce((sum, { size }) => sum + size, 0)]);
        let place = 0;
        launcher.copy(tensors.map((from) => {
          const copy = { from, to, place, size: from.size };
          place += from.size;
          return copy;
        }));
        return to as tf.Tensor1D;
      },
      split(from, shapes) {
        let at = 0;
        const copies = shapes.map((shape) => {
          const copy = { from, at, to: launcher.newTensor(shape), size: sizeOf(shape) };
          at += copy.size;
          return copy;
        });
        launcher.copy(copies);
        return copies.map(({ to }) => to);
      },
    },
  };
}
