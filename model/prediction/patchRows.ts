/**
 * The rows of the patches in an output of the decoder.
 *
 * @module
 */
import { withoutFirstRow } from "../classToken.ts";
import { type MaeConfig, numTokens, patchDim } from "../config.ts";

/**
 * Removes the row of the class token, if there is one, from each image.
 *
 * @param rows `[batch, T, P·P·C]`
 * @returns `[batch, N, P·P·C]`; `rows` itself without a class token
 */
export function patchRows<A extends ArrayBufferLike>(
  config: MaeConfig,
  rows: Float32Array<A>,
): Float32Array<A | ArrayBuffer> {
  const dim = patchDim(config);
  return config.clsToken ? withoutFirstRow(rows, rows.length / (numTokens(config) * dim), dim) : rows;
}
