/**
 * Attention on a device.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../../ops/native.ts";
import { attentionCalls, MAX_HEAD_DIM } from "./kernels/attention.ts";
import type { Launcher } from "./launcher.ts";

function callsOf({ shape: [batch, tokens, tripled] }: tf.Tensor3D, heads: number, hasDropout: boolean) {
  return attentionCalls({ batch, tokens, dim: tripled / 3, heads, hasDropout });
}

/** Returns the kernels of attention. */
export function attentionOps(launcher: Launcher): NativeOps["attention"] {
  return {
    supports: (headDim) => headDim <= MAX_HEAD_DIM,
    forward(qkv, heads, factors) {
      const [batch, tokens, tripled] = qkv.shape;
      const [value, logSumExps] = launcher.run(callsOf(qkv, heads, Boolean(factors)).forward, {
        reads: [qkv, ...(factors ? [factors] : [])],
        writes: [[batch, tokens, tripled / 3], [batch * heads, tokens]],
      });
      return [value as tf.Tensor3D, logSumExps, value];
    },
    gradient(dy, qkv, [logSumExps, value], heads, factors) {
      const [first, keys] = callsOf(qkv, heads, Boolean(factors)).gradient;
      const dropout = factors ? [factors] : [], reads = [qkv, dy, value, logSumExps, ...dropout];
      if (!keys) return launcher.run(first, { reads, writes: [qkv.shape] })[0] as tf.Tensor3D;
      const [dqkv, deltas] = launcher.run(first, { reads, writes: [qkv.shape, logSumExps.shape] });
      launcher.run(keys, { reads: [qkv, dy, logSumExps, deltas, ...dropout], writes: [dqkv] });
      deltas.dispose();
      return dqkv as tf.Tensor3D;
    },
  };
}
