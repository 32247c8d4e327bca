/**
 * IDX files of six small images, and their upload.
 *
 * @module
 */
import type { Bytes } from "../../../data/bytes.ts";
import { gzipSync } from "node:zlib";
import type { DatasetInfo } from "../../../data/datasets/dataset.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import type { UploadOptions } from "../../../data/datasets/upload/uploadOptions.ts";
import { idx } from "../../setup/uploads.ts";
import type { TempStore } from "./fixtures.ts";

/** Magic numbers of IDX files: greyscale images, images with channels last, labels. */
export const IMAGES = 0x803, COLOUR = 0x804, LABELS = 0x801;

/** Compresses bytes with gzip. */
export const gz = (bytes: Uint8Array): Bytes => new Uint8Array(gzipSync(bytes));

/** Pixels of six images of 2 x 3. Every pixel has a different value. */
export const pixels = Uint8Array.from({ length: 36 }, (_, i) => i * 7);
/** Image file of the six images. */
export const images = idx(IMAGES, [6, 2, 3], pixels);
/** Label file of the six images: the classes 0, 1, 2, 0, 1, 2. */
export const labels = idx(LABELS, [6], Uint8Array.of(0, 1, 2, 0, 1, 2));

/** Uploads the parts as a data set. */
export async function upload(
  temp: TempStore,
  parts: Record<string, Bytes>,
  options: UploadOptions = {},
): Promise<DatasetInfo> {
  return await createDataset(await temp.files(parts), options, temp.store);
}

/** Appends bytes. */
export const append = (bytes: Bytes, ...more: number[]): Bytes => Uint8Array.from([...bytes, ...more]);
