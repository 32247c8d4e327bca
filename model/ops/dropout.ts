import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { uniform } from "../random.ts";

/** Where a step's dropout masks come from: equal keys give equal masks. */
export interface DropoutKey {
  /** Probability of dropping a value; 0 switches dropout off. */
  readonly rate: number;
  readonly seed: number;
  readonly epoch: number;
  readonly step: number;
}

/**
 * Factors of inverted dropout (`torch.nn.Dropout`): 0 with probability `rate`, else `1 / (1 - rate)`.
 *
 * @param site name of the place in the model, a part of the key
 * @returns undefined when nothing is dropped
 */
export function dropoutFactors(
  key: DropoutKey | undefined,
  site: string,
  shape: number[],
): tf.Tensor | undefined {
  if (!key || key.rate === 0) return undefined;
  const size = shape.reduce((product, length) => product * length, 1);
  const draws = uniform(
    { seed: key.seed, purpose: `dropout/${site}`, epoch: key.epoch, step: key.step },
    size,
  );
  const kept = 1 / (1 - key.rate);
  return tf.tensor(draws.map((draw) => draw < key.rate ? 0 : kept), shape);
}

/** Inverted dropout of `x`; see {@linkcode dropoutFactors}. */
export function dropout<T extends tf.Tensor>(x: T, key: DropoutKey | undefined, site: string): T {
  const factors = dropoutFactors(key, site, x.shape);
  if (!factors) return x;
  return fused([x], (save) => {
    save([factors]);
    return { value: tf.mul(x, factors), gradient: (dy, [factors]) => tf.mul(dy, factors) };
  });
}
