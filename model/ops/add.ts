import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";

/** Adds two tensors of the same shape. */
export function add<T extends tf.Tensor>(x: T, y: T): T {
  return fused([x, y], () => ({ value: tf.add(x, y), gradient: (dy) => [dy, tf.clone(dy)] }));
}

/**
 * Adds a constant without a gradient, such as fixed positions.
 *
 * @param x `[batch, tokens, dim]`
 * @param constant a shape that broadcasts to that of `x`
 */
export function addConstant<T extends tf.Tensor>(x: T, constant: tf.Tensor): T {
  return fused([x], () => ({ value: tf.add(x, constant), gradient: (dy) => dy }));
}
