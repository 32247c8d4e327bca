/**
 * Shuffled batches of images for training.
 *
 * @module
 */
import { permutation } from "../../model/random.ts";
import { inputLength } from "../images/imageShape.ts";
import type { ImageSet } from "./dataset.ts";

/** How an epoch is divided into batches. */
export interface BatchOptions {
  readonly batchSize: number;
  /** Leave out the last batch if it is not full, like `drop_last` of PyTorch's `DataLoader`. */
  readonly dropLast: boolean;
  /** Seed of the order. */
  readonly seed: number;
  readonly epoch: number;
  /** Whether the images are shuffled. Otherwise they keep the order of the set. */
  readonly shuffle: boolean;
  /** Number of batches to skip, without computing them. @default 0 */
  readonly startBatch?: number;
}

/** The images of one training step. */
export interface Batch {
  /** `[batch, height, width, channels]` in [0, 1], as torchvision's `ToTensor` scales. Overwritten by the next batch. */
  readonly pixels: Float32Array<ArrayBuffer>;
  /** `[batch]`; null without labels. */
  readonly labels: Int32Array<ArrayBuffer> | null;
  /** `[batch]`: index of each image in the set. */
  readonly indices: Uint32Array<ArrayBuffer>;
}

/** The float32 value of byte / 255 for each byte. */
const SCALED = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** Copies images by index, scaled to [0, 1]. @param length values of an image */
function copyScaled(bytes: Uint8Array, indices: Uint32Array, length: number, out: Float32Array): void {
  for (let row = 0, target = 0; row < indices.length; row++) {
    const offset = indices[row] * length;
    for (let i = 0; i < length; i++) out[target++] = SCALED[bytes[offset + i]];
  }
}

/** Returns labels by index. */
export function labelsAt(labels: Uint16Array, indices: Uint32Array): Int32Array<ArrayBuffer> {
  const selected = new Int32Array(indices.length);
  for (let row = 0; row < indices.length; row++) selected[row] = labels[indices[row]];
  return selected;
}

/**
 * Returns the indices of the images of all batches of an epoch, from `startBatch` on. The order depends only on
 * (seed, epoch), so an epoch can be resumed at any batch.
 *
 * @param count number of images
 */
export function epochOrder(count: number, options: BatchOptions): Uint32Array<ArrayBuffer> {
  const { batchSize, dropLast, seed, epoch, shuffle, startBatch = 0 } = options;
  const end = dropLast ? count - count % batchSize : count, start = Math.min(startBatch * batchSize, end);
  if (shuffle) return permutation({ seed, purpose: "shuffle", epoch }, count).subarray(start, end);
  const order = new Uint32Array(end - start);
  for (let i = 0; i < order.length; i++) order[i] = start + i;
  return order;
}

/**
 * Yields the batches of an epoch. The order depends only on (seed, epoch), so an epoch can be resumed at any batch.
 *
 * @example
 * ```ts
 * import { epochBatches } from "./loader.ts";
 *
 * const images = { count: 3, imageSize: 2, channels: 1, pixels: new Uint8Array(12), labels: null } as const;
 * const options = { batchSize: 2, dropLast: false, seed: 0, epoch: 3, shuffle: true };
 * for (const { pixels, indices } of epochBatches(images, options)) {
 *   console.log(indices.length, pixels.length); // 2 8, then 1 4
 * }
 * ```
 */
export function* epochBatches(images: ImageSet, options: BatchOptions): Generator<Batch, void> {
  const imageLength = inputLength(images);
  // One buffer for all batches, because a new one for each batch would be a megabyte of garbage every few steps.
  const buffer = new Float32Array(Math.min(options.batchSize, images.count) * imageLength);
  const order = epochOrder(images.count, options);
  for (let start = 0; start < order.length; start += options.batchSize) {
    const indices = order.subarray(start, start + options.batchSize);
    const pixels = buffer.subarray(0, indices.length * imageLength);
    copyScaled(images.pixels, indices, imageLength, pixels);
    const labels = images.labels && labelsAt(images.labels, indices);
    yield { pixels, labels, indices };
  }
}
