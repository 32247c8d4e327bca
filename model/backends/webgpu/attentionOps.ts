/**
 * Attention on a device.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../../ops/native.ts";
import { attentionPrograms, attentionThreads, MAX_HEAD_DIM } from "./kernels/attention.ts";
import type { Launcher } from "./launcher.ts";

/** Returns the programs of an attention and the arguments that their dispatches share. */
function attentionDispatch(
  { shape: [batch, tokens, tripled] }: tf.Tensor3D,
  heads: number,
  hasDropout: boolean,
) {
  const threads = attentionThreads(tokens),
    blocks = Math.ceil(tokens / threads),
    groups = batch * heads * blocks;
  return {
    programs: attentionPrograms({ headDim: tripled / 3 / heads, threads, hasDropout }),
    groups,
    uniforms: [tokens, heads, blocks, groups],
    valueShape: [batch, tokens, tripled / 3],
    rowShape: [batch * heads, tokens],
  };
}

/** Returns the kernels of attention. */
export function attentionOps(launcher: Launcher): NativeOps["attention"] {
  return {
    supports: (headDim) => headDim <= MAX_HEAD_DIM,
    forward(qkv, heads, factors) {
      const { programs, groups, uniforms, valueShape, rowShape } = attentionDispatch(
        qkv,
        heads,
        Boolean(factors),
      );
      const reads = [qkv, ...(factors ? [factors] : [])];
      const [value, logSumExps] = launcher.run(programs.forward, {
        reads,
        writes: [valueShape, rowShape],
        uniforms,
        groups,
      });
      return [value as tf.Tensor3D, logSumExps, value];
    },
    gradient(dy, qkv, [logSumExps, value], heads, factors) {
      const { programs, groups, uniforms, rowShape } = attentionDispatch(qkv, heads, Boolean(factors));
      const dropout = factors ? [factors] : [];
      const [dqkv, deltas] = launcher.run(programs.queries, {
        reads: [qkv, dy, value, logSumExps, ...dropout],
        writes: [qkv.shape, rowShape],
        uniforms,
        groups,
      });
      launcher.run(programs.keys, {
        reads: [qkv, dy, logSumExps, deltas, ...dropout],
        writes: [dqkv],
        uniforms,
        groups,
      });
      deltas.dispose();
      return dqkv as tf.Tensor3D;
    },
  };
}
