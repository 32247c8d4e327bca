/**
 * Splits of encoded images.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";
import { decodeImage } from "../../images/decodeImage.ts";
import { ImageError } from "../../images/imageFile.ts";
import type { InputShape } from "../../images/imageShape.ts";
import type { ImagePreprocessing } from "../../images/preprocessing.ts";
import { DatasetDamagedError, type DatasetInfo, type SplitName } from "../dataset.ts";
import type { DatasetObjects } from "./datasetObjects.ts";
import type { PackStorage } from "./storage.ts";
import { splitRows, type StoredSplit } from "./storedSplit.ts";

/** Encoded images that are read and decoded concurrently. */
const CONCURRENT_IMAGES = 16;

/** Opens a split of encoded images. @throws {DatasetDamagedError} */
export async function openPackSplit(
  objects: DatasetObjects,
  info: DatasetInfo,
  storage: PackStorage,
  split: SplitName,
  signal?: AbortSignal,
): Promise<StoredSplit> {
  const index = await objects.readIndex(storage.index, signal);
  const { offsets, lengths, labels } = storage.heldOut ? index.train : index[split];
  const rows = await splitRows(objects, split, offsets.length, storage.heldOut, signal) ??
    Uint32Array.from({ length: offsets.length }, (_, i) => i);
  const readOne = async (
    row: number,
    input: InputShape,
    preprocessing: ImagePreprocessing,
  ): Promise<Bytes> => {
    const bytes = await objects.readRange(storage.pack, offsets[rows[row]], lengths[rows[row]]);
    try {
      return await decodeImage(bytes, input, preprocessing);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      throw new DatasetDamagedError(info.id, `image ${row} of '${split}' ${error.message}`, {
        cause: error,
      });
    }
  };
  return {
    count: rows.length,
    label: labels.length > 0 ? (row) => labels[rows[row]] : null,
    async *readAll(input, signal) {
      for (let start = 0; start < rows.length; start += CONCURRENT_IMAGES) {
        signal?.throwIfAborted();
        const group = Array.from(
          { length: Math.min(CONCURRENT_IMAGES, rows.length - start) },
          (_, i) => start + i,
        );
        const images = await Promise.all(group.map((row) => readOne(row, input, info)));
        for (const [i, pixels] of images.entries()) yield [start + i, pixels];
      }
    },
    readOne,
  };
}
