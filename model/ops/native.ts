/**
 * The kernels of the backend in use. An operation without a kernel runs as a composition of TensorFlow.js operations.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs-core";
import type { Shape } from "../shape.ts";

/** Options of one AdamW step. */
export interface AdamWStep {
  /** Learning rate of this step. */
  readonly lr: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Number of steps including this one, from 1. */
  readonly step: number;
}

/** Kernels of single operations. An absent kernel is replaced by the operation's composition. */
export interface NativeOps {
  /** Number of threads with which the backend computes one operation. @default 1 */
  readonly threads?: number;
  /** Linear layers. */
  readonly linear?: {
    /** x `[rows, in]`, weight `[out, in]`, bias `[out]` → `[rows, out]`. */
    forward(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor2D;
    /** dy `[rows, out]` → gradients of x, weight and bias. */
    gradient(dy: tf.Tensor2D, x: tf.Tensor2D, weight: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
  };
  /** Restores patch order and inserts mask tokens. */
  readonly unshuffle?: {
    /** visible `[rows, dim]`, token `[dim]`, restoreRows `[count]` (int32; -1 for the token) → `[count, dim]`. */
    forward(visible: tf.Tensor2D, token: tf.Tensor1D, restoreRows: tf.Tensor1D): tf.Tensor2D;
    /** dy `[count, dim]`, keepRows `[rows]` (int32), mask `[count]` → gradients of visible and token. */
    gradient(dy: tf.Tensor2D, keepRows: tf.Tensor1D, mask: tf.Tensor1D): [tf.Tensor, tf.Tensor];
  };
  /** Mean squared error on masked patches. */
  readonly maskedLoss?: {
    /** pred and target `[rows, dim]`, mask `[rows]` → the loss and its gradient `[rows, dim]`. */
    forward(pred: tf.Tensor2D, target: tf.Tensor2D, mask: tf.Tensor1D): [tf.Scalar, tf.Tensor];
    /** That gradient times dy, a scalar. */
    gradient(grad: tf.Tensor, dy: tf.Tensor): tf.Tensor;
  };
  /** Cross-entropy. */
  readonly crossEntropy?: {
    /** logits `[batch, classes]`, labels `[batch]` (int32) → the mean loss and its gradient `[batch, classes]`. */
    forward(logits: tf.Tensor2D, labels: tf.Tensor1D): [tf.Scalar, tf.Tensor];
    /** That gradient times dy, a scalar. */
    gradient(grad: tf.Tensor, dy: tf.Tensor): tf.Tensor;
  };
  /** Mean over `count` tokens from the token `first` on. */
  readonly meanPool?: {
    /** x `[batch, tokens, dim]` → `[batch, dim]`. */
    forward(x: tf.Tensor3D, first: number, count: number): tf.Tensor2D;
    /** dy `[batch, dim]` → `[batch, tokens, dim]`, zero at the other tokens. */
    gradient(dy: tf.Tensor, tokens: number, first: number, count: number): tf.Tensor;
  };
  /** Sum with images that are scaled. */
  readonly addScaled?: {
    /** x and y `[batch, ...]`, factors `[batch]` → x + factors · y. */
    forward(x: tf.Tensor, y: tf.Tensor, factors: tf.Tensor1D): tf.Tensor;
    /** dy `[batch, ...]`, factors `[batch]` → the gradient of y, factors · dy. */
    gradient(dy: tf.Tensor, factors: tf.Tensor): tf.Tensor;
  };
  /** GELU. */
  readonly gelu?: {
    /** Returns values and derivatives, in the shape of x. */
    forward(x: tf.Tensor): [tf.Tensor, tf.Tensor];
  };
  /** Layer norm of rows. */
  readonly layerNorm?: {
    /** x `[rows, dim]` → output and normed `[rows, dim]`, scale `[rows]`. */
    forward(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor, eps: number): [tf.Tensor, tf.Tensor, tf.Tensor];
    /** dy `[rows, dim]` → gradients of x, weight and bias. */
    gradient(
      dy: tf.Tensor,
      normed: tf.Tensor,
      scale: tf.Tensor,
      weight: tf.Tensor,
    ): [tf.Tensor, tf.Tensor, tf.Tensor];
  };
  /** Attention. */
  readonly attention?: {
    /** Returns whether heads of this width are supported. All are when it is absent. */
    supports?(headDim: number): boolean;
    /**
     * qkv `[batch, tokens, 3 · dim]`, dropout factors `[batch · heads, tokens, tokens]` → `[batch, tokens, dim]`, and
     * the tensors that the gradient needs in addition to qkv and factors.
     */
    forward(qkv: tf.Tensor3D, heads: number, factors?: tf.Tensor3D): [tf.Tensor3D, ...tf.Tensor[]];
    /** dy `[batch, tokens, dim]` → gradient of qkv. */
    gradient(
      dy: tf.Tensor3D,
      qkv: tf.Tensor3D,
      saved: readonly tf.Tensor[],
      heads: number,
      factors?: tf.Tensor3D,
    ): tf.Tensor3D;
  };
  /** Computes one step of AdamW; all `[size]` → new parameters and moments. */
  adamw?(
    param: tf.Tensor1D,
    grad: tf.Tensor1D,
    expAvg: tf.Tensor1D,
    expAvgSq: tf.Tensor1D,
    step: AdamWStep,
  ): [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
  /** Copies between many tensors and a flat one. */
  readonly flat?: {
    /** Concatenates the values of tensors of any shape. */
    concat(tensors: readonly tf.Tensor[]): tf.Tensor1D;
    /** Splits a flat tensor into tensors of the given shapes. */
    split(flat: tf.Tensor1D, shapes: readonly Shape[]): tf.Tensor[];
  };
}

let current: NativeOps = {};

/** Returns the kernels in use. */
export function native(): NativeOps {
  return current;
}

/** Sets the kernels in use; none by default. */
export function useNative(ops: NativeOps = {}): void {
  current = ops;
}
