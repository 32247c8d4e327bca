/**
 * Random masking (tutorial step 4; He et al. 2022, section 3), on the host.
 *
 * @module
 */
import { MAX_PATCHES, numKeep } from "./config.ts";

/** More than any index of a patch. */
const INDEX_RANGE = MAX_PATCHES;

/** Which patches of each image are visible. N patches, K of them kept. */
export interface Masking {
  readonly batch: number;
  readonly patches: number;
  readonly keep: number;
  /** `[batch, K]`: the visible patches, in the order the encoder sees them. */
  readonly idsKeep: Int32Array;
  /** `[batch, N]`: where each patch stands in the shuffled order. */
  readonly idsRestore: Int32Array;
  /** `[batch, N]`: 1 = masked, 0 = visible. */
  readonly mask: Float32Array<ArrayBuffer>;
  /** `[batch · N]`: each patch's row among the visible ones of the batch (`batch · K`), -1 where it is masked. */
  readonly restoreRows: Int32Array;
  /** `[batch · K]`: each visible patch's row among all of the batch (`batch · N`). */
  readonly keepRows: Int32Array;
}

/**
 * Shuffles patches by the stable ascending argsort of their noise and keeps the first `int(N · (1 - ratio))`.
 *
 * @param noise `[batch, N]`, uniform in [0, 1)
 * @param maskRatio 0 keeps every patch, in their own order (the tutorial shuffles there too, which no mean can see)
 */
export function randomMasking(
  noise: Float32Array,
  batch: number,
  patches: number,
  maskRatio: number,
): Masking {
  if (noise.length !== batch * patches) {
    throw new RangeError(
      `Cannot mask with ${noise.length} numbers of noise: ${batch} x ${patches} are needed`,
    );
  }
  const keep = numKeep(patches, maskRatio);
  const idsKeep = new Int32Array(batch * keep), keepRows = new Int32Array(batch * keep);
  const idsRestore = new Int32Array(batch * patches), restoreRows = new Int32Array(batch * patches).fill(-1);
  const mask = new Float32Array(batch * patches).fill(1);
  for (let b = 0; b < batch; b++) {
    const row = noise.subarray(b * patches, (b + 1) * patches);
    const idsShuffle = maskRatio > 0 ? argsort(row) : Int32Array.from(row.keys());
    for (let rank = 0; rank < patches; rank++) {
      const patch = b * patches + idsShuffle[rank];
      idsRestore[patch] = rank;
      if (rank < keep) {
        idsKeep[b * keep + rank] = idsShuffle[rank];
        keepRows[b * keep + rank] = patch;
        restoreRows[patch] = b * keep + rank;
        mask[patch] = 0;
      }
    }
  }
  return { batch, patches, keep, idsKeep, idsRestore, mask, restoreRows, keepRows };
}

/** Most values that are sorted by insertion: a call of the engine's sort costs more. */
const FEW = 64;

/** Indices that sort values in ascending order; equal values keep theirs. Values are finite and not negative. */
function argsort(values: Float32Array): Int32Array {
  if (values.length > FEW) return argsortMany(values);
  const order = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    let at = i;
    for (; at > 0 && values[order[at - 1]] > value; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  return order;
}

function argsortMany(values: Float32Array): Int32Array {
  // The bits of such a float32 order as it does: with the index behind them, a number is all there is to compare.
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  const keys = Float64Array.from(bits, (bit, i) => bit * INDEX_RANGE + i).sort();
  return Int32Array.from(keys, (key) => key % INDEX_RANGE);
}

/**
 * The visible rows of each image.
 *
 * @param rows `[batch, N, dim]`, or `[N, dim]` shared by the whole batch
 * @param visible receives them; an array of their own by default
 * @returns `[batch, K, dim]`
 */
export function takeVisible<A extends ArrayBufferLike = ArrayBuffer>(
  rows: Float32Array,
  masking: Masking,
  dim: number,
  visible: Float32Array<A> = new Float32Array(masking.batch * masking.keep * dim) as Float32Array<A>,
): Float32Array<A> {
  const { batch, keep, patches, idsKeep } = masking;
  const shared = rows.length === patches * dim && batch > 1;
  for (let b = 0; b < batch; b++) {
    const base = shared ? 0 : b * patches;
    for (let k = 0; k < keep; k++) {
      const from = (base + idsKeep[b * keep + k]) * dim;
      visible.set(rows.subarray(from, from + dim), (b * keep + k) * dim);
    }
  }
  return visible;
}
