/**
 * The ratio of an MLP's hidden width.
 *
 * @module
 */
import { hiddenDim } from "../config.ts";

/** Returns the ratio for which `int(dim * ratio)` is a hidden width, although the product is rounded. */
export function mlpRatioOf(dim: number, hidden: number): number {
  const ratio = hidden / dim;
  return hiddenDim(dim, ratio) === hidden ? ratio : (hidden + 0.5) / dim;
}
