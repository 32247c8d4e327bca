/**
 * Groups of tensors whose differences from a reference are measured.
 *
 * @module
 */
import type { MaeConfig } from "../../model/config.ts";

/** Differences in one group of tensors. */
export interface GroupResult {
  readonly group: string;
  /** Largest |ours - theirs|. */
  readonly absolute: number;
  /** Largest |ours - theirs| / |theirs| where |theirs| > 1e-6. */
  readonly relative: number;
  /** Largest difference divided by its tolerance. The group passes if it is at most 1. */
  readonly share: number;
  /** Name of the tensor with that difference. */
  readonly worst: string;
}

/** Tolerance of the forward pass. */
export const FORWARD = (_: number) => 1e-5;
/** Tolerance of gradients. */
export const GRADIENT = (theirs: number) => 1e-5 + 1e-4 * Math.abs(theirs);
/** Tolerance of integers. */
export const EXACT = (_: number) => 0;

/** The values of a tensor. */
export type Values = ArrayLike<number>;

/** Collects the differences of one group. */
export class Group {
  absolute = 0;
  relative = 0;
  share = 0;
  worst = "-";
  /** Number of values that were compared. */
  compared = 0;
  constructor(readonly group: string) {}

  /** Compares a tensor. @param tolerance largest difference from a value of theirs */
  compare(tensor: string, ours: Values, theirs: Values, tolerance: (theirs: number) => number): void {
    if (ours.length !== theirs.length) {
      throw new Error(`${tensor}: ${ours.length} values, not ${theirs.length}`);
    }
    for (let i = 0; i < ours.length; i++) {
      const error = Math.abs(ours[i] - theirs[i]);
      const limit = tolerance(theirs[i]);
      const share = error === 0 ? 0 : limit === 0 || Number.isNaN(error) ? Infinity : error / limit;
      this.absolute = Number.isNaN(error) ? NaN : Math.max(this.absolute, error);
      if (Math.abs(theirs[i]) > 1e-6) this.relative = Math.max(this.relative, error / Math.abs(theirs[i]));
      if (share > this.share) [this.share, this.worst] = [share, tensor];
    }
    this.compared += ours.length;
  }
}

/**
 * Returns the range of the key biases in an `in_proj_bias`, or null for other parameters. Their exact gradient is zero,
 * because they do not change the softmax.
 */
function keyBiasRange(name: string, length: number): [number, number] | null {
  return name.endsWith("in_proj_bias") ? [length / 3, 2 * length / 3] : null;
}

/** Splits a parameter into its key biases and the rest. */
export function withoutKeys(name: string, values: Values): { rest: number[]; keys: number[] } {
  const all = Array.from(values);
  const range = keyBiasRange(name, all.length);
  if (!range) return { rest: all, keys: [] };
  return { rest: [...all.slice(0, range[0]), ...all.slice(range[1])], keys: all.slice(...range) };
}

/** Compares the gradient of a parameter. The gradients of key biases must be below 1e-6. */
export function compareGradient(
  group: Group,
  name: string,
  gradient: Values,
  theirs: Values,
  tolerance = GRADIENT,
): void {
  const ours = withoutKeys(name, gradient), their = withoutKeys(name, theirs);
  group.compare(name, ours.rest, their.rest, tolerance);
  group.compare(`${name} (keys)`, ours.keys, ours.keys.map(() => 0), () => 1e-6);
}

/** Converts `[batch, C, H, W]` to `[batch, H, W, C]`. */
export function channelsLast(
  images: Values,
  batch: number,
  { inChannels, imageSize }: MaeConfig,
): Float32Array<ArrayBuffer> {
  const plane = imageSize * imageSize;
  const pixels = new Float32Array(images.length);
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < inChannels; c++) {
      for (let i = 0; i < plane; i++) {
        pixels[(b * plane + i) * inChannels + c] = images[(b * inChannels + c) * plane + i];
      }
    }
  }
  return pixels;
}
