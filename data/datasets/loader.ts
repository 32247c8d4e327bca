/**
 * Images in batches, as a training loop wants them.
 *
 * @module
 */
import { permutation } from "../../model/random.ts";
import type { ImageSet } from "./dataset.ts";

/** How an epoch is cut into batches. */
export interface BatchOptions {
  readonly batchSize: number;
  /** Leave out a last batch that is not full (PyTorch's `DataLoader(drop_last=True)`). */
  readonly dropLast: boolean;
  /** Key of the order. */
  readonly seed: number;
  readonly epoch: number;
  /** Their own order when false. */
  readonly shuffle: boolean;
  /** Batches to pass over, at no cost. @default 0 */
  readonly startBatch?: number;
}

/** Images of one step. */
export interface Batch {
  /** `[batch, height, width, channels]` in [0, 1], as torchvision's `ToTensor` scales; until the next batch is taken. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** `[batch]`; null when unlabelled. */
  readonly labels: Int32Array<ArrayBuffer> | null;
  /** `[batch]`: where each image stands in the set. */
  readonly indices: Uint32Array<ArrayBuffer>;
}

/** A byte as float32(byte / 255). */
const SCALE = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** Writes images of `values` bytes each, by index, as numbers. */
function scale(bytes: Uint8Array, indices: Uint32Array, values: number, out: Float32Array): void {
  for (let row = 0, to = 0; row < indices.length; row++) {
    const from = indices[row] * values;
    for (let i = 0; i < values; i++) out[to++] = SCALE[bytes[from + i]];
  }
}

/**
 * The batches of an epoch. The order depends on (seed, epoch) alone, so an epoch can be continued in its middle.
 *
 * @example
 * ```ts
 * for (const { pixels } of epochBatches(set, { batchSize: 128, dropLast: true, seed: 0, epoch: 3, shuffle: true })) {
 *   // pixels: [128, height, width, channels]
 * }
 * ```
 */
export function* epochBatches(set: ImageSet, options: BatchOptions): Generator<Batch, void> {
  const { batchSize, dropLast, seed, epoch, shuffle, startBatch = 0 } = options;
  const order = shuffle
    ? permutation({ seed, purpose: "shuffle", epoch }, set.count)
    : Uint32Array.from({ length: set.count }, (_, i) => i);
  const values = set.imageSize * set.imageSize * set.channels;
  // One array for all batches: new ones would be garbage of a megabyte in every few steps.
  const room = new Float32Array(Math.min(batchSize, set.count) * values);
  for (let start = startBatch * batchSize; start < set.count; start += batchSize) {
    const indices = order.slice(start, start + batchSize);
    if (dropLast && indices.length < batchSize) return;
    const pixels = room.subarray(0, indices.length * values);
    scale(set.pixels, indices, values, pixels);
    const labels = set.labels && Int32Array.from(indices, (index) => set.labels![index]);
    yield { pixels, labels, indices };
  }
}
