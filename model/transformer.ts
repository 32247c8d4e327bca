/**
 * The pre-norm transformer block of encoder and decoder (tutorial step 3).
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs-core";
import { add } from "./ops/add.ts";
import { attention } from "./ops/attention.ts";
import { dropout, dropoutFactors, type DropoutKey } from "./ops/dropout.ts";
import { gelu } from "./ops/gelu.ts";
import { layerNorm } from "./ops/layerNorm.ts";
import { linear } from "./ops/linear.ts";

/** Parameters on the backend by their `state_dict` names. */
export type Weights = Readonly<Record<string, tf.Tensor>>;

/** The linear layer of that name. */
export function applyLinear<T extends tf.Tensor>(x: T, weights: Weights, name: string): T {
  return linear(x, weights[`${name}.weight`] as tf.Tensor2D, weights[`${name}.bias`] as tf.Tensor1D);
}

/** The layer norm of that name. */
export function applyNorm<T extends tf.Tensor>(x: T, weights: Weights, name: string): T {
  return layerNorm(x, weights[`${name}.weight`] as tf.Tensor1D, weights[`${name}.bias`] as tf.Tensor1D);
}

/** Multi-head self-attention with PyTorch's packed `in_proj` (queries, keys, values) and `out_proj`. */
function selfAttention(x: tf.Tensor3D, weights: Weights, name: string, heads: number, drop?: DropoutKey) {
  const [batch, tokens] = x.shape;
  const inWeight = weights[`${name}.in_proj_weight`] as tf.Tensor2D;
  const qkv = linear(x, inWeight, weights[`${name}.in_proj_bias`] as tf.Tensor1D); // [batch, tokens, 3·dim]
  const factors = dropoutFactors(drop, name, [batch * heads, tokens, tokens]) as tf.Tensor3D | undefined;
  return applyLinear(attention(qkv, heads, factors), weights, `${name}.out_proj`); // [batch, tokens, dim]
}

/**
 * One block: `x + attn(norm1(x))`, then `x + mlp(norm2(x))`.
 *
 * @param x `[batch, tokens, dim]`
 * @param name e.g. `encoder.blocks.0`
 */
export function transformerBlock(
  x: tf.Tensor3D,
  weights: Weights,
  name: string,
  heads: number,
  drop?: DropoutKey,
): tf.Tensor3D {
  const attended = selfAttention(
    applyNorm(x, weights, `${name}.norm1`),
    weights,
    `${name}.attn`,
    heads,
    drop,
  );
  const y = add(x, attended);
  const hidden = gelu(applyLinear(applyNorm(y, weights, `${name}.norm2`), weights, `${name}.mlp.0`));
  const out = applyLinear(dropout(hidden, drop, `${name}.mlp.2`), weights, `${name}.mlp.3`);
  return add(y, dropout(out, drop, `${name}.mlp.4`));
}
