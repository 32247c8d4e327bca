/**
 * Weights in panels of 8 columns, as products want their second operand.
 *
 * @module
 */
import { padded } from "./source/products.ts";

/** Values of a packed weight `[out, in]`. @param transposed panels of its transpose, for x · weightᵀ */
export function panelValues([outDim, inDim]: readonly number[], transposed: boolean): number {
  return transposed ? padded(outDim) * inDim : padded(inDim) * outDim;
}

/** The arguments of `pack` for a weight `[out, in]` at an address. */
export function packArguments(
  [outDim, inDim]: readonly number[],
  from: number,
  transposed: boolean,
  to: number,
): number[] {
  return transposed ? [outDim, inDim, from, 4, 4 * inDim, to] : [inDim, outDim, from, 4 * inDim, 4, to];
}
