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
  /** Threads over which the backend spreads an operation by itself. @default 1 */
  readonly threads?: number;
  /** Linear layers. */
  readonly linear?: {
    /** x `[rows, in]`, weight `[out, in]`, bias `[out]` → `[rows, out]`. */
    forward(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor2D;
    /** dy `[rows, out]` → gradients of x, weight and bias. */
    gradient(dy: tf.Tensor2D, x: tf.Tensor2D, weight: tf.Tensor2D): [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
  };
  /** Puts the mask token where a patch is masked. */
  readonly unshuffle?: {
    /** visible `[rows, dim]`, token `[dim]`, from `[count]` (int32; -1 for the token) → `[count, dim]`. */
    forward(visible: tf.Tensor2D, token: tf.Tensor1D, from: tf.Tensor1D): tf.Tensor2D;
    /** dy `[count, dim]`, to `[rows]` (int32), mask `[count]` → gradients of visible and token. */
    gradient(dy: tf.Tensor2D, to: tf.Tensor1D, mask: tf.Tensor1D): [tf.Tensor, tf.Tensor];
  };
  /** Loss on masked patches. */
  readonly maskedLoss?: {
    /** pred and target `[rows, dim]`, mask `[rows]` → the loss and its gradient `[rows, dim]`. */
    forward(pred: tf.Tensor2D, target: tf.Tensor2D, mask: tf.Tensor1D): [tf.Scalar, tf.Tensor];
    /** That gradient times dy, a scalar. */
    gradient(slope: tf.Tensor, dy: tf.Tensor): tf.Tensor;
  };
  /** Cross-entropy. */
  readonly crossEntropy?: {
    /** logits `[batch, classes]`, labels `[batch]` (int32) → the mean loss and its gradient `[batch, classes]`. */
    forward(logits: tf.Tensor2D, labels: tf.Tensor1D): [tf.Scalar, tf.Tensor];
    /** That gradient times dy, a scalar. */
    gradient(slope: tf.Tensor, dy: tf.Tensor): tf.Tensor;
  };
  /** Mean over tokens. */
  readonly meanPool?: {
    /** x `[batch, tokens, dim]` → `[batch, dim]`. */
    forward(x: tf.Tensor3D): tf.Tensor2D;
    /** dy `[batch, dim]` → `[batch, tokens, dim]`. */
    gradient(dy: tf.Tensor, tokens: number): tf.Tensor;
  };
  /** GELU. */
  readonly gelu?: {
    /** Values, and the derivative at each. */
    forward(x: tf.Tensor): [tf.Tensor, tf.Tensor];
  };
  /** Layer norm of rows. */
  readonly layerNorm?: {
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
  /** Attention. */
  readonly attention?: {
    /** Whether it takes heads of that width; all when absent. */
    takes?(headSize: number): boolean;
    /**
     * qkv `[batch, tokens, 3 · dim]`, factors of dropout `[batch · heads, tokens, tokens]` → `[batch, tokens, dim]`,
     * and what the gradient needs beside qkv and factors.
     */
    forward(qkv: tf.Tensor3D, heads: number, factors?: tf.Tensor3D): [tf.Tensor3D, ...tf.Tensor[]];
    /** dy `[batch, tokens, dim]` → gradient of qkv. */
    gradient(
      dy: tf.Tensor3D,
      qkv: tf.Tensor3D,
      kept: readonly tf.Tensor[],
      heads: number,
      factors?: tf.Tensor3D,
    ): tf.Tensor3D;
  };
  /** One step of AdamW; all `[size]` → new parameters and moments. */
  adamw?(
    param: tf.Tensor1D,
    grad: tf.Tensor1D,
    expAvg: tf.Tensor1D,
    expAvgSq: tf.Tensor1D,
    step: AdamWStep,
  ): [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
  /** Copies between many tensors and one. */
  readonly flat?: {
    /** Tensors of any shape → all of their values, one tensor behind the other. */
    join(tensors: readonly tf.Tensor[]): tf.Tensor1D;
    /** The opposite, by the shapes of the parts. */
    split(flat: tf.Tensor1D, shapes: readonly Shape[]): tf.Tensor[];
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
