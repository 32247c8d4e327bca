/**
 * How much memory the images of a split may take.
 *
 * @module
 */
import { DatasetError, type SplitName } from "./dataset.ts";
import { type InputShape } from "../images/imageShape.ts";

/** Default limit of the bytes of a split in memory. */
export const DEFAULT_MAX_SPLIT_BYTES = 8 * 2 ** 30;

/** Error about decoded images that take too much memory, as the end of a sentence; null when they fit. */
export function memoryLimitMessage(
  count: number,
  { imageSize, channels }: InputShape,
  maxBytes: number,
): string | null {
  const bytes = count * imageSize ** 2 * channels;
  if (bytes <= maxBytes) return null;
  return `needs ${
    gib(bytes)
  } of memory: ${count} images of ${imageSize} x ${imageSize} x ${channels} bytes. At most ` +
    `${gib(maxBytes)} are taken (UNMASK_MAX_DATASET_BYTES): choose a smaller image_size, or fewer images`;
}

/** @throws {DatasetError} for a split that takes too much memory */
export function checkMemory(count: number, form: InputShape, split: SplitName, maxBytes: number): void {
  const fault = memoryLimitMessage(count, form, maxBytes);
  if (fault) throw new DatasetError(`The split '${split}' ${fault}`);
}

function gib(bytes: number): string {
  const value = bytes / 2 ** 30;
  return value < 0.1 ? `${bytes} bytes` : `${value.toFixed(1)} GiB`;
}
