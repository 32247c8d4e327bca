/**
 * Checks and decodes an image at once.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { decodeImage } from "./decodeImage.ts";
import { type ImageInfo, type InputShape, isInputShape } from "./imageShape.ts";
import { inspectImage } from "./inspectImage.ts";
import { decodePlainPng } from "./plainPng.ts";
import type { ImagePreprocessing } from "./preprocessing.ts";

/** A decoded image and its properties before that. */
export interface ReadImage {
  readonly info: ImageInfo;
  /** `[imageSize, imageSize, channels]`, 0 to 255 */
  readonly pixels: Bytes;
}

/**
 * Does what `inspectImage` and `decodeImage` do.
 *
 * @throws {ImageError}
 */
export async function readImage(
  bytes: Bytes,
  input: InputShape,
  preprocessing: ImagePreprocessing,
): Promise<ReadImage> {
  const plain = decodePlainPng(bytes);
  if (plain !== null && isInputShape(plain, input)) {
    const { height, width, channels, pixels } = plain;
    return { info: { height, width, channels, hasAlpha: false }, pixels };
  }
  const info = await inspectImage(bytes);
  return { info, pixels: await decodeImage(bytes, input, preprocessing) };
}
