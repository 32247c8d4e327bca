/**
 * The pre-norm transformer block of encoder and decoder (Dosovitskiy et al. 2021, section 3.1).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { attention } from "./ops/attention.ts";
import { dropout, dropoutFactors, type DropoutKey } from "./ops/dropout.ts";
import { addBranch } from "./ops/dropPath.ts";
import { gelu } from "./ops/gelu.ts";
import { layerNorm } from "./ops/layerNorm.ts";
import { linear } from "./ops/linear.ts";
import type { HostWeights } from "./weights.ts";

/** Parameters on the backend by their `state_dict` names. */
export type Weights = Readonly<Record<string, tf.Tensor>>;

/** Copies weights to the backend. The caller disposes the tensors with `tf.dispose`. */
export function toTensors(weights: HostWeights): Weights {
  return Object.fromEntries(
    [...weights].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]),
  );
}

/** Applies the linear layer with the given name, `[..., in]` to `[..., out]`. */
export function applyLinear<T extends tf.Tensor>(x: T, weights: Weights, name: string): T {
  return linear(x, weights[`${name}.weight`] as tf.Tensor2D, weights[`${name}.bias`] as tf.Tensor1D);
}

/** Applies the layer norm with the given name. @param eps added to the variance */
export function applyNorm<T extends tf.Tensor>(x: T, weights: Weights, name: string, eps: number): T {
  return layerNorm(x, weights[`${name}.weight`] as tf.Tensor1D, weights[`${name}.bias`] as tf.Tensor1D, eps);
}

/** Projects tokens to `[batch, tokens, 3·dim]`; `in_proj` has queries, keys and values in this order, like PyTorch's. */
function projectQkv(x: tf.Tensor3D, weights: Weights, name: string): tf.Tensor3D {
  const weight = weights[`${name}.in_proj_weight`] as tf.Tensor2D;
  return linear(x, weight, weights[`${name}.in_proj_bias`] as tf.Tensor1D);
}

/** Multi-head self-attention. */
function selfAttention(x: tf.Tensor3D, weights: Weights, name: string, heads: number, drop?: DropoutKey) {
  const [batch, tokens] = x.shape;
  const qkv = projectQkv(x, weights, name); // [batch, tokens, 3·dim]
  const factors = dropoutFactors(drop, name, [batch * heads, tokens, tokens]) as tf.Tensor3D | undefined;
  return applyLinear(attention(qkv, heads, factors), weights, `${name}.out_proj`); // [batch, tokens, dim]
}

/** Options of {@linkcode transformerBlock}. */
export interface BlockOptions {
  /** Number of attention heads. */
  readonly heads: number;
  /** Term that layer norms add to the variance. */
  readonly eps: number;
  /** Key of the dropout factors; absent outside training. */
  readonly drop?: DropoutKey;
}

/** Returns the names of the two residual branches of a block, as in timm. */
export function branchesOf(block: string): [attention: string, mlp: string] {
  return [`${block}.drop_path1`, `${block}.drop_path2`];
}

/**
 * Returns queries, keys and values of a block.
 *
 * @param x the input of the block, `[batch, tokens, dim]`
 * @param name e.g. `encoder.blocks.0`
 * @param eps added to the variance by the layer norm
 * @returns `[batch, tokens, 3·dim]`
 */
export function qkvOfBlock(x: tf.Tensor3D, weights: Weights, name: string, eps: number): tf.Tensor3D {
  return projectQkv(applyNorm(x, weights, `${name}.norm1`, eps), weights, `${name}.attn`);
}

/**
 * Applies one block: `x + attn(norm1(x))`, then `x + mlp(norm2(x))`.
 *
 * @param x `[batch, tokens, dim]`
 * @param name e.g. `encoder.blocks.0`
 * @returns `[batch, tokens, dim]`
 */
export function transformerBlock(
  x: tf.Tensor3D,
  weights: Weights,
  name: string,
  { heads, eps, drop }: BlockOptions,
): tf.Tensor3D {
  const [attentionBranch, mlpBranch] = branchesOf(name), normed = applyNorm(x, weights, `${name}.norm1`, eps);
  const y = addBranch(
    x,
    selfAttention(normed, weights, `${name}.attn`, heads, drop),
    drop,
    attentionBranch,
  );
  const hidden = gelu(applyLinear(applyNorm(y, weights, `${name}.norm2`, eps), weights, `${name}.mlp.0`)); // [batch, tokens, hidden]
  const out = applyLinear(dropout(hidden, drop, `${name}.mlp.2`), weights, `${name}.mlp.3`); // [batch, tokens, dim]
  return addBranch(y, dropout(out, drop, `${name}.mlp.4`), drop, mlpBranch);
}
