/**
 * Splits of raw images.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";
import type { ImageShape, InputShape } from "../../images/imageShape.ts";
import type { ImagePreprocessing } from "../../images/preprocessing.ts";
import { resizeRaw } from "../../images/resizeImage.ts";
import type { DatasetInfo, SplitName } from "../dataset.ts";
import type { DatasetObjects } from "./datasetObjects.ts";
import type { RawStorage } from "./storage.ts";
import { splitRows, type StoredSplit } from "./storedSplit.ts";

/** Opens a split of raw images. @throws {DatasetDamagedError} */
export async function openRawSplit(
  objects: DatasetObjects,
  info: DatasetInfo,
  storage: RawStorage,
  split: SplitName,
  signal?: AbortSignal,
): Promise<StoredSplit> {
  const block = split === "train" || storage.heldOut ? storage.train : storage.test;
  if (block === null) return emptySplit();
  const shape = { height: info.height!, width: info.width!, channels: info.channels };
  const imageBytes = shape.height * shape.width * shape.channels;
  const rows = await splitRows(objects, split, block.count, storage.heldOut, signal);
  const labels = await objects.readLabels(block, signal);
  const count = rows?.length ?? block.count;
  const storedRow = (row: number) => rows ? rows[row] : row;
  const convert = (pixels: Bytes, input: InputShape, preprocessing: ImagePreprocessing) =>
    isInputShape(shape, input) ? pixels : resizeRaw(pixels, shape, input, preprocessing);
  return {
    count,
    label: labels && ((row) => labels[storedRow(row)]),
    readBlock: async (input, signal) =>
      rows === null && isInputShape(shape, input)
        ? await objects.readAll(block.images, block.count * imageBytes, signal)
        : null,
    async *readAll(input, signal) {
      if (count === 0) return;
      const bytes = await objects.readAll(block.images, block.count * imageBytes, signal);
      for (let row = 0; row < count; row++) {
        const offset = storedRow(row) * imageBytes;
        yield [row, await convert(bytes.subarray(offset, offset + imageBytes), input, info)];
      }
    },
    readOne: async (row, input, preprocessing) => {
      const bytes = await objects.readRange(block.images, storedRow(row) * imageBytes, imageBytes);
      return await convert(bytes, input, preprocessing);
    },
  };
}

/** A test split without images. */
function emptySplit(): StoredSplit {
  return {
    count: 0,
    label: null,
    async *readAll() {},
    readOne: () => Promise.reject(new RangeError("The split has no images")),
  };
}

function isInputShape({ height, width, channels }: ImageShape, input: InputShape): boolean {
  return input.imageSize === height && input.imageSize === width && input.channels === channels;
}
