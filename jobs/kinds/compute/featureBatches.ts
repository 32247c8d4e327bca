/**
 * Batches of features that are in memory.
 *
 * @module
 */
import { type BatchOptions, epochOrder, labelsAt } from "../../../data/datasets/loader.ts";
import type { FeatureBatch } from "../../../model/training/objective.ts";

/** The features of all images of a set, with their labels. */
export interface LabelledFeatures {
  /** `[count, width]`. */
  readonly features: Float32Array;
  readonly width: number;
  /** `[count]`. */
  readonly labels: Uint16Array;
}

/** Yields the batches of an epoch, in the order of `epochBatches`. The features are overwritten by the next batch. */
export function* featureBatches(
  { features, width, labels }: LabelledFeatures,
  options: BatchOptions,
): Generator<FeatureBatch, void> {
  const { batchSize } = options, buffer = new Float32Array(Math.min(batchSize, labels.length) * width);
  const order = epochOrder(labels.length, options), labelsInOrder = labelsAt(labels, order);
  for (let start = 0; start < order.length; start += batchSize) {
    const indices = order.subarray(start, start + batchSize);
    const batch = buffer.subarray(0, indices.length * width);
    copyRows(features, width, indices, batch);
    yield { features: batch, labels: labelsInOrder.subarray(start, start + batchSize) };
  }
}

/** Number of values in a cache line. */
const LINE = 16;

/**
 * Copies rows by index. First it reads one value of each cache line: these reads do not wait for each other, and most
 * rows are in main memory. Four values at once take a third of the time of a plain loop.
 */
function copyRows(source: Float32Array, width: number, indices: Uint32Array, out: Float32Array): void {
  let sum = 0;
  for (let row = 0; row < indices.length; row++) {
    const start = indices[row] * width;
    for (let i = start; i < start + width; i += LINE) sum += source[i];
  }
  // The sum is stored and then overwritten, so that the reads are not removed as unused.
  out[0] = sum;
  let target = 0;
  for (let row = 0; row < indices.length; row++) {
    let i = indices[row] * width;
    const end = i + width;
    for (; i + 4 <= end; i += 4, target += 4) {
      out[target] = source[i];
      out[target + 1] = source[i + 1];
      out[target + 2] = source[i + 2];
      out[target + 3] = source[i + 3];
    }
    for (; i < end; i++) out[target++] = source[i];
  }
}
