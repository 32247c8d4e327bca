/**
 * Random masking (He et al. 2022, section 3), on the host.
 *
 * @module
 */
import { MAX_PATCHES, numKeep } from "./config.ts";

/** Which tokens of an image come from where: of its N tokens, K are taken from K encoded ones, and others replace the rest. */
export interface TokenOrder {
  readonly batch: number;
  /** N. */
  readonly patches: number;
  /** K. */
  readonly keep: number;
  /** `[batch, N]`: 1 = replaced, as masked patches are; 0 = taken. */
  readonly mask: Float32Array<ArrayBuffer>;
  /** `[batch · N]`: for each token, its row in the batch's `[batch · K]` encoded ones; -1 if it is replaced. */
  readonly restoreRows: Int32Array;
  /** `[batch · K]`: for each encoded token, its row in the batch's `[batch · N]` tokens. */
  readonly keepRows: Int32Array;
}

/** The visible and the masked patches of each image of a batch: K of N patches are visible. */
export interface Masking extends TokenOrder {
  /** `[batch, K]`: indices of the visible patches, in shuffled order. */
  readonly idsKeep: Int32Array;
  /** `[batch, N]`: index of each patch in the shuffled order. */
  readonly idsRestore: Int32Array;
}

/**
 * Shuffles the patches of each image by a stable ascending argsort of their noise and keeps the first
 * `int(N · (1 - maskRatio))`.
 *
 * @param noise `[batch, N]`, uniform in [0, 1)
 * @param maskRatio 0 keeps every patch and does not shuffle
 * @throws {RangeError} when `noise` has another length
 *
 * @example
 * ```ts
 * import { randomMasking } from "./masking.ts";
 *
 * const noise = Float32Array.of(0.9, 0.1, 0.5, 0.3); // one image with four patches
 * const { idsKeep, mask } = randomMasking(noise, 1, 4, 0.5);
 * console.log(idsKeep, mask); // 1, 3 and 1, 0, 1, 0
 * ```
 */
export function randomMasking(
  noise: Float32Array,
  batch: number,
  patches: number,
  maskRatio: number,
): Masking {
  if (noise.length !== batch * patches) {
    throw new RangeError(`Cannot mask ${batch} x ${patches} patches with ${noise.length} values of noise`);
  }
  const keep = numKeep(patches, maskRatio);
  const idsKeep = new Int32Array(batch * keep), keepRows = new Int32Array(batch * keep);
  const idsRestore = new Int32Array(batch * patches), restoreRows = new Int32Array(batch * patches).fill(-1);
  const mask = new Float32Array(batch * patches).fill(1);
  for (let b = 0; b < batch; b++) {
    const imageNoise = noise.subarray(b * patches, (b + 1) * patches);
    const idsShuffle = maskRatio > 0 ? argsort(imageNoise) : Int32Array.from(imageNoise.keys());
    for (let rank = 0; rank < patches; rank++) {
      const row = b * patches + idsShuffle[rank];
      idsRestore[row] = rank;
      if (rank < keep) {
        idsKeep[b * keep + rank] = idsShuffle[rank];
        keepRows[b * keep + rank] = row;
        restoreRows[row] = b * keep + rank;
        mask[row] = 0;
      }
    }
  }
  return { batch, patches, keep, idsKeep, idsRestore, mask, restoreRows, keepRows };
}

/** Maximum length for insertion sort. A longer array is sorted faster by the engine's sort. */
const INSERTION_SORT_MAX = 64;

/** Returns the indices of a stable ascending sort of finite values that are not negative. */
function argsort(values: Float32Array): Int32Array {
  if (values.length > INSERTION_SORT_MAX) return argsortByKeys(values);
  const order = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    let j = i;
    for (; j > 0 && values[order[j - 1]] > values[i]; j--) order[j] = order[j - 1];
    order[j] = i;
  }
  return order;
}

function argsortByKeys(values: Float32Array): Int32Array {
  // The bits of such a float32, read as an integer, have the same order as the value. A key is bits and index in one
  // number, so that the sort needs no comparison function.
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  const keys = Float64Array.from(bits, (bit, i) => bit * MAX_PATCHES + i).sort();
  return Int32Array.from(keys, (key) => key % MAX_PATCHES);
}

/**
 * Copies the rows of the visible patches.
 *
 * @param rows `[batch, N, dim]`, or `[N, dim]` for the whole batch
 * @param visible receives the rows
 * @returns `visible`, `[batch, K, dim]`
 *
 * @example
 * ```ts
 * import { randomMasking, takeVisible } from "./masking.ts";
 *
 * const masking = randomMasking(Float32Array.of(0.9, 0.1, 0.5, 0.3), 1, 4, 0.5);
 * const rows = Float32Array.of(0, 0, 10, 10, 20, 20, 30, 30);
 * console.log(takeVisible(rows, masking, 2)); // 10, 10, 30, 30
 * ```
 */
export function takeVisible<A extends ArrayBufferLike = ArrayBuffer>(
  rows: Float32Array,
  masking: Masking,
  dim: number,
  visible: Float32Array<A> = new Float32Array(masking.batch * masking.keep * dim) as Float32Array<A>,
): Float32Array<A> {
  const { batch, keep, patches, idsKeep } = masking;
  const isShared = rows.length === patches * dim && batch > 1;
  for (let b = 0; b < batch; b++) {
    const firstRow = isShared ? 0 : b * patches;
    for (let k = 0; k < keep; k++) {
      const start = (firstRow + idsKeep[b * keep + k]) * dim;
      visible.set(rows.subarray(start, start + dim), (b * keep + k) * dim);
    }
  }
  return visible;
}
