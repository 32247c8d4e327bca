import * as tf from "@tensorflow/tfjs-core";
import { fused } from "./fused.ts";
import { uniform } from "../random.ts";
import { sizeOf } from "../shape.ts";

/** Consecutive images of a batch. */
export interface BatchPart {
  /** Index of the first image in the batch. */
  readonly first: number;
  /** Number of images. */
  readonly images: number;
}

/** Key of the dropout factors of a step. Equal keys give equal factors. */
export interface DropoutKey {
  /** Probability of dropping a value; 0 switches dropout off. */
  readonly rate: number;
  /** Probability of skipping the branch of a residual block, by the name of the branch (`dropPath.ts`). */
  readonly pathRates?: ReadonlyMap<string, number>;
  readonly seed: number;
  readonly epoch: number;
  readonly step: number;
  /** A part of the batch has the factors that its images have in the whole batch. */
  readonly part?: BatchPart;
  /** Collects the factors of each site, for the recording of a step. */
  readonly drawn?: Map<string, Float32Array>;
}

/** Returns the probability of dropping a value of a site. */
const rateOf = ({ rate, pathRates }: DropoutKey, site: string) => pathRates?.get(site) ?? rate;

/** Draws the factors of a site: 0 for a dropped value, 1 / (1 - rate) for a kept one. */
export function drawFactors(key: DropoutKey, site: string, size: number): Float32Array<ArrayBuffer> {
  const { seed, epoch, step, part } = key, rate = rateOf(key, site);
  const skip = part ? part.first * (size / part.images) : 0;
  const scale = 1 / (1 - rate);
  const draws = uniform({ seed, purpose: `dropout/${site}`, epoch, step }, size, skip);
  return draws.map((draw) => draw < rate ? 0 : scale);
}

/**
 * Returns factors of inverted dropout (`torch.nn.Dropout`): 0 with the probability of the site, else `1 / (1 - rate)`.
 *
 * @param site name of the layer; it is part of the random key
 * @returns undefined without dropout
 */
export function dropoutFactors(
  key: DropoutKey | undefined,
  site: string,
  shape: number[],
): tf.Tensor | undefined {
  if (!key || rateOf(key, site) === 0) return undefined;
  const size = sizeOf(shape);
  const values = drawFactors(key, site, size);
  key.drawn?.set(site, values);
  return tf.tensor(values, shape);
}

/** Applies inverted dropout; see {@linkcode dropoutFactors}. */
export function dropout<T extends tf.Tensor>(x: T, key: DropoutKey | undefined, site: string): T {
  const factors = dropoutFactors(key, site, x.shape);
  if (!factors) return x;
  return fused([x], (save) => {
    save([factors]);
    return { value: tf.mul(x, factors), gradient: (dy, [factors]) => tf.mul(dy, factors) };
  });
}
