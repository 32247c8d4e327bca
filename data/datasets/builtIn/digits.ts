/**
 * The built-in data set `digits`, whose images are drawn when they are read. Every image depends only on (seed, split,
 * index), so a larger set begins with the images of a smaller one.
 *
 * @module
 */
import { yieldToEventLoop } from "../../eventLoop.ts";
import { inputLength, type InputShape } from "../../images/imageShape.ts";
import { DEFAULT_PREPROCESSING } from "../../images/preprocessing.ts";
import { resizeRaw } from "../../images/resizeImage.ts";
import { checkIndex, type Dataset, type DatasetInfo, type ImageSet, type SplitName } from "../dataset.ts";
import { checkMemory, DEFAULT_MAX_SPLIT_BYTES } from "../memoryLimit.ts";
import { DIGIT_SIZE, drawDigit } from "./drawDigit.ts";

/** Default number of training images. */
export const DIGITS_TRAIN_COUNT = 10_000;
/** Number of test images. It does not depend on the number of training images. */
export const DIGITS_TEST_COUNT = 2_000;
/** Time of drawing between two yields, in milliseconds. A yield takes a millisecond or two. */
const YIELD_MS = 50;

/** Returns the description of `digits`. @param trainCount number of training images */
export function digitsInfo(trainCount: number = DIGITS_TRAIN_COUNT): DatasetInfo {
  return {
    id: "digits",
    name: "Drawn digits",
    source: "builtin",
    format: "raw",
    height: DIGIT_SIZE,
    width: DIGIT_SIZE,
    channels: 1,
    splits: { train: { count: trainCount }, test: { count: DIGITS_TEST_COUNT } },
    labelled: true,
    numClasses: 10,
    classNames: Array.from({ length: 10 }, (_, digit) => String(digit)),
    ...DEFAULT_PREPROCESSING,
    notes: [],
    size: 0,
    createdAt: "2026-11-24T00:00:00.000Z",
  };
}

/**
 * Opens the data set `digits`.
 *
 * @param trainCount number of training images
 * @param maxBytes maximum memory for the decoded images of a split, in bytes
 * @example
 * ```ts
 * import { openDigits } from "./digits.ts";
 *
 * const digits = openDigits(1_000);
 * const { count, pixels } = await digits.load("train", { imageSize: 32, channels: 1 }); // [1000, 32, 32, 1]
 * ```
 */
export function openDigits(
  trainCount: number = DIGITS_TRAIN_COUNT,
  seed = 0,
  maxBytes: number = DEFAULT_MAX_SPLIT_BYTES,
): Dataset {
  const info = digitsInfo(trainCount);
  const draw = async (
    split: SplitName,
    indices: Iterable<number>,
    count: number,
    input: InputShape,
    signal?: AbortSignal,
  ): Promise<ImageSet> => {
    checkMemory(count, input, split, maxBytes);
    const imageLength = inputLength(input);
    const pixels = new Uint8Array(count * imageLength), labels = new Uint16Array(count);
    const shape = { height: DIGIT_SIZE, width: DIGIT_SIZE, channels: 1 } as const;
    const isOriginalSize = input.imageSize === DIGIT_SIZE && input.channels === 1;
    let row = 0;
    for (const index of indices) {
      signal?.throwIfAborted();
      await yieldToEventLoop(YIELD_MS);
      const digit = drawDigit(seed, split, index);
      pixels.set(
        isOriginalSize ? digit.pixels : await resizeRaw(digit.pixels, shape, input),
        row * imageLength,
      );
      labels[row] = digit.label;
      row++;
    }
    return { ...input, count, pixels, labels };
  };
  return {
    info,
    load: (split, input, signal) => {
      const { count } = info.splits[split];
      return draw(split, new Array<number>(count).keys(), count, input, signal);
    },
    read: async (split, indices, input) => {
      indices.forEach((index) => checkIndex(index, info.splits[split].count, split));
      return await draw(split, indices, indices.length, input);
    },
  };
}
