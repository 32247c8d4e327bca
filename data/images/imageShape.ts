/**
 * Sizes and channels of images.
 *
 * @module
 */
import type { MaeConfig } from "../../model/config.ts";

/** Dimensions of an image. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  /** 3 for an image with colour. */
  readonly channels: 1 | 3;
}

/** Properties of an encoded image. */
export interface ImageInfo extends ImageShape {
  /** Whether any pixel can be transparent. */
  readonly hasAlpha: boolean;
}

/** Dimensions of a model's input images, which are square. */
export interface InputShape {
  /** Height and width in pixels. */
  readonly imageSize: number;
  /** 1 (greyscale) or 3 (RGB). */
  readonly channels: 1 | 3;
}

/** Returns the dimensions of a model's input images. */
export function inputShapeOf({ imageSize, inChannels }: MaeConfig): InputShape {
  return { imageSize, channels: inChannels as InputShape["channels"] };
}

/** Returns the number of values of an input image. */
export function inputLength({ imageSize, channels }: InputShape): number {
  return imageSize * imageSize * channels;
}
