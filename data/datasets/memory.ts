/**
 * How much memory the images of a split may take.
 *
 * @module
 */
import { DatasetError, type ImageForm, type SplitName } from "./dataset.ts";

/** Default limit of the bytes of a split in memory. */
export const SPLIT_BYTES = 8 * 2 ** 30;

/** Most bytes of a split in memory: `UNMASK_MAX_DATASET_BYTES` if it is a number, else the default. */
function mostBytes(): number {
  const set = Deno.env.get("UNMASK_MAX_DATASET_BYTES") ?? "";
  return /^\d{1,15}$/.test(set) ? Number(set) : SPLIT_BYTES;
}

/** Error about decoded images that take too much memory, as the end of a sentence; null when they fit. */
export function splitTooLarge(count: number, { imageSize, channels }: ImageForm): string | null {
  const bytes = count * imageSize ** 2 * channels, most = mostBytes();
  if (bytes <= most) return null;
  return `needs ${
    gib(bytes)
  } of memory: ${count} images of ${imageSize} x ${imageSize} x ${channels} bytes. At most ` +
    `${gib(most)} are taken (UNMASK_MAX_DATASET_BYTES): choose a smaller image_size, or fewer pictures`;
}

/** @throws {DatasetError} for a split that takes too much memory */
export function checkMemory(count: number, form: ImageForm, split: SplitName): void {
  const fault = splitTooLarge(count, form);
  if (fault) throw new DatasetError(`The split '${split}' ${fault}`);
}

function gib(bytes: number): string {
  const value = bytes / 2 ** 30;
  return value < 0.1 ? `${bytes} bytes` : `${value.toFixed(1)} GiB`;
}
