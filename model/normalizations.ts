/**
 * Named normalisations of pixels.
 *
 * @module
 */
import type { Normalization } from "./config.ts";

/**
 * Means and deviations by name. `imagenet` has those of ImageNet, as torchvision and timm use them. `half` converts
 * [0, 1] to [-1, 1] and applies to any number of channels.
 */
export const NORMALIZATIONS = {
  none: null,
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  half: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
} as const satisfies Readonly<Record<string, Normalization | null>>;

/** A name of a normalisation. */
export type NormalizationName = keyof typeof NORMALIZATIONS;

/** Returns the normalisation with a name, null for `none`. `half` gets as many values as there are channels. */
export function namedNormalization(name: NormalizationName, channels: number): Normalization | null {
  const { mean, std } = NORMALIZATIONS[name] ?? {};
  if (!mean || !std) return null;
  const length = name === "half" ? channels : mean.length;
  return { mean: mean.slice(0, length), std: std.slice(0, length) };
}
