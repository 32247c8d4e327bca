/**
 * The limit of the memory for the decoded images of a split.
 *
 * @module
 */
import { inputLength, type InputShape } from "../images/imageShape.ts";
import { DatasetError, type SplitName } from "./dataset.ts";

/** Default limit of the decoded images of a split, in bytes. */
export const DEFAULT_MAX_SPLIT_BYTES = 8 * 2 ** 30;

/** Returns an error message, without its subject, for images that exceed the limit. Returns null for other images. */
export function memoryLimitMessage(
  count: number,
  input: InputShape,
  maxBytes: number,
): string | null {
  const bytes = count * inputLength(input), { imageSize, channels } = input;
  if (bytes <= maxBytes) return null;
  return `needs ${formatBytes(bytes)} of memory: ${count} images of ${imageSize} x ${imageSize} x ` +
    `${channels} bytes. At most ${formatBytes(maxBytes)} are allowed (UNMASK_MAX_DATASET_BYTES): choose a ` +
    "smaller image_size, or fewer images";
}

/** @throws {DatasetError} for a split that exceeds the limit */
export function checkMemory(count: number, input: InputShape, split: SplitName, maxBytes: number): void {
  const message = memoryLimitMessage(count, input, maxBytes);
  if (message) throw new DatasetError(`The split '${split}' ${message}`);
}

function formatBytes(bytes: number): string {
  const gib = bytes / 2 ** 30;
  return gib < 0.1 ? `${bytes} bytes` : `${gib.toFixed(1)} GiB`;
}
