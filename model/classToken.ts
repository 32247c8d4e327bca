/**
 * The class token, which comes before the patch tokens of an image and is never masked (Dosovitskiy et al. 2021,
 * section 3.1). Its rows are inserted and removed on the host; the model does it with `unshuffle`.
 *
 * @module
 */
import type { Masking, TokenOrder } from "./masking.ts";

/**
 * Returns the order of the encoder's tokens: the class token, then the visible patches.
 *
 * @param keep number of visible patches K
 * @returns an order of `[batch, K]` tokens to `[batch, 1 + K]`, in which the class token is missing
 *
 * @example
 * ```ts
 * import { classTokenFirst } from "./classToken.ts";
 *
 * console.log(classTokenFirst(2, 3).restoreRows); // -1, 0, 1, 2, -1, 3, 4, 5
 * ```
 */
export function classTokenFirst(batch: number, keep: number): TokenOrder {
  const patches = keep + 1;
  const restoreRows = new Int32Array(batch * patches), keepRows = new Int32Array(batch * keep);
  const mask = new Float32Array(batch * patches);
  for (let b = 0; b < batch; b++) {
    restoreRows[b * patches] = -1;
    mask[b * patches] = 1;
    for (let k = 0; k < keep; k++) {
      restoreRows[b * patches + 1 + k] = b * keep + k;
      keepRows[b * keep + k] = b * patches + 1 + k;
    }
  }
  return { batch, patches, keep, restoreRows, keepRows, mask };
}

/** Returns the arrays of an order of the encoder's tokens by the names of their feeds; none without a class token. */
export function orderFeeds(order: TokenOrder | null): Record<string, Float32Array | Int32Array> {
  return order === null
    ? {}
    : { clsMask: order.mask, clsRestoreRows: order.restoreRows, clsKeepRows: order.keepRows };
}

/**
 * Returns the order of the decoder's tokens: the class token stays first, and the patches follow in their order.
 *
 * @returns an order of `[batch, 1 + K]` tokens to `[batch, 1 + N]`
 */
export function withClassToken(masking: Masking): TokenOrder {
  const { batch } = masking, patches = masking.patches + 1, keep = masking.keep + 1;
  const restoreRows = new Int32Array(batch * patches), keepRows = new Int32Array(batch * keep);
  const mask = new Float32Array(batch * patches);
  for (let b = 0; b < batch; b++) {
    restoreRows[b * patches] = b * keep;
    keepRows[b * keep] = b * patches;
    for (let i = 0; i < masking.patches; i++) {
      const row = masking.restoreRows[b * masking.patches + i];
      // Each image before this one has a class token, and so has this one.
      restoreRows[b * patches + 1 + i] = row < 0 ? row : row + b + 1;
      mask[b * patches + 1 + i] = masking.mask[b * masking.patches + i];
    }
    for (let k = 0; k < masking.keep; k++) {
      keepRows[b * keep + 1 + k] = masking.keepRows[b * masking.keep + k] + b + 1;
    }
  }
  return { batch, patches, keep, restoreRows, keepRows, mask };
}

/**
 * Inserts a row before the rows of each image.
 *
 * @param rows `[batch, count, dim]`
 * @param row `[dim]`
 * @param extended receives the rows
 * @returns `extended`, `[batch, 1 + count, dim]`
 */
export function prependRow(
  rows: Float32Array,
  batch: number,
  row: Float32Array,
  extended: Float32Array,
): Float32Array {
  const size = rows.length / batch, dim = row.length;
  for (let b = 0; b < batch; b++) {
    extended.set(row, b * (dim + size));
    extended.set(rows.subarray(b * size, (b + 1) * size), b * (dim + size) + dim);
  }
  return extended;
}

/**
 * Removes the first row of each image, the inverse of {@linkcode prependRow}.
 *
 * @param extended `[batch, 1 + count, dim]`
 * @returns `[batch, count, dim]`
 */
export function withoutFirstRow(
  extended: Float32Array,
  batch: number,
  dim: number,
): Float32Array<ArrayBuffer> {
  const size = extended.length / batch - dim, rows = new Float32Array(batch * size);
  for (let b = 0; b < batch; b++) {
    const start = b * (dim + size) + dim;
    rows.set(extended.subarray(start, start + size), b * size);
  }
  return rows;
}
