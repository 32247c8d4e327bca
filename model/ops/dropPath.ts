/**
 * Stochastic depth: while training, an image skips the branch of a residual block at random (Huang et al. 2016, section
 * 3; timm's `DropPath`).
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { add } from "./add.ts";
import { dropoutFactors, type DropoutKey } from "./dropout.ts";
import { fused } from "./fused.ts";
import { native } from "./native.ts";

/** Returns the rate of each of `depth` blocks: from 0 at the first one to `rate` at the last one. */
export function dropPathRates(rate: number, depth: number): number[] {
  return Array.from({ length: depth }, (_, i) => depth === 1 ? 0 : rate * i / (depth - 1));
}

/**
 * Adds the branch of a residual block to its input. With a rate for this site, a branch counts 0 or 1 / (1 - rate) times
 * in an image.
 *
 * @param x the input, `[batch, tokens, dim]`
 * @param branch `[batch, tokens, dim]`
 * @param site name of the branch; it is part of the random key
 */
export function addBranch<T extends tf.Tensor>(
  x: T,
  branch: T,
  key: DropoutKey | undefined,
  site: string,
): T {
  if (!key?.pathRates?.has(site)) return add(x, branch);
  const factors = dropoutFactors(key, site, [x.shape[0]]);
  return factors ? addScaled(x, branch, factors as tf.Tensor1D) : add(x, branch);
}

/**
 * Returns `x + factors · y` with a factor for each image.
 *
 * @param x `[batch, ...]`
 * @param y `[batch, ...]`
 * @param factors `[batch]`, constants
 */
export function addScaled<T extends tf.Tensor>(x: T, y: T, factors: tf.Tensor1D): T {
  return fused([x, y], (save) => {
    save([factors]);
    const kernel = native().addScaled;
    const scaled = (values: tf.Tensor, factors: tf.Tensor) =>
      tf.mul(values, tf.reshape(factors, [x.shape[0], ...x.shape.slice(1).map(() => 1)]));
    return {
      value: kernel ? kernel.forward(x, y, factors) : tf.add(x, scaled(y, factors)),
      gradient: (dy, [factors]) => [dy, kernel ? kernel.gradient(dy, factors) : scaled(dy, factors)],
    };
  });
}
