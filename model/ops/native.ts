/**
 * Which operations run on kernels of our own, in place of their composition of TensorFlow.js operations. Whoever
 * selects a backend decides.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs-core";

/** Kernels of a backend; one that is absent is computed by the operation's composition. */
export interface NativeOps {
  /** Linear layers whose widths the kernels take. */
  readonly linear?: {
    /** Whether these widths are taken. */
    takes(inDim: number, outDim: number): boolean;
    /** x `[rows, in]`, weight `[out, in]`, bias `[out]` → `[rows, out]`. */
    forward(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor2D;
    /** dy `[rows, out]` → gradients of x, weight and bias. */
    gradient(dy: tf.Tensor2D, x: tf.Tensor2D, weight: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
  };
  /** Rows of x `[rows, dim]` by indices `[count]` (int32). */
  takeRows?(x: tf.Tensor, indices: tf.Tensor1D): tf.Tensor;
  /** GELU. */
  readonly gelu?: {
    /** Whether so many values are taken. */
    takes(size: number): boolean;
    /** Values, and the derivative at each. */
    forward(x: tf.Tensor): [tf.Tensor, tf.Tensor];
  };
  /** Layer norm of rows. */
  readonly layerNorm?: {
    /** Whether rows of this width are taken. */
    takes(dim: number): boolean;
    /** x `[rows, dim]` → output and normed `[rows, dim]`, scale `[rows]`. */
    forward(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor): [tf.Tensor, tf.Tensor, tf.Tensor];
    /** dy `[rows, dim]` → gradients of x, weight and bias. */
    gradient(
      dy: tf.Tensor,
      normed: tf.Tensor,
      scale: tf.Tensor,
      weight: tf.Tensor,
    ): [tf.Tensor, tf.Tensor, tf.Tensor];
  };
  /** Attention without dropout. */
  readonly attention?: {
    /** Whether this width and number of heads are taken. */
    takes(dim: number, heads: number): boolean;
    /** qkv `[batch, tokens, 3 · dim]` → `[batch, tokens, dim]`, and what the gradient needs of the weights. */
    forward(qkv: tf.Tensor3D, heads: number): [tf.Tensor3D, tf.Tensor];
    /** dy `[batch, tokens, dim]` → gradient of qkv. */
    gradient(dy: tf.Tensor3D, qkv: tf.Tensor3D, weights: tf.Tensor, heads: number): tf.Tensor3D;
  };
}

let current: NativeOps = {};

/** The kernels in use. */
export function native(): NativeOps {
  return current;
}

/** Puts kernels in use; none by default. */
export function useNative(ops: NativeOps = {}): void {
  current = ops;
}
