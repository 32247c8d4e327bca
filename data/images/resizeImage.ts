/**
 * Resizing of decoded images to the input of a model.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import type { Sharp } from "sharp";
import { loadSharp } from "./imageFile.ts";
import { type ImageShape, inputLength, type InputShape } from "./imageShape.ts";
import { DEFAULT_PREPROCESSING, type ImagePreprocessing } from "./preprocessing.ts";

/** A decoded image and its upright size. */
export interface DecodedImage {
  readonly image: Sharp;
  readonly height: number;
  readonly width: number;
}

/**
 * Bicubic interpolation, as Pillow's and torchvision's with `antialias`: a larger image is not sampled, but averaged.
 * Without `fastShrinkOnLoad`, a JPEG is decoded at no less than twice the size, for less difference from them.
 */
const BICUBIC = { kernel: "cubic", fastShrinkOnLoad: false } as const;

/** Largest coordinate that libvips supports, in pixels (`VIPS_MAX_COORD`). */
const MAX_COORDINATE = 10_000_000;

/**
 * Repeats the rows or columns of an image if `squash` enlarges one side of it and not the other. Otherwise libvips
 * would shift the image by half a pixel along the side that is not enlarged.
 */
async function repeatPixels(
  source: DecodedImage,
  { imageSize }: InputShape,
  { resize }: ImagePreprocessing,
): Promise<DecodedImage> {
  const { image, height, width } = source;
  const mixed = Math.min(height, width) < imageSize && Math.max(height, width) >= imageSize;
  if (resize !== "squash" || !mixed) return source;
  const enlarged = (side: number) => side * Math.max(1, Math.ceil(imageSize / side));
  const size = { height: enlarged(height), width: enlarged(width) };
  const large = image.resize(size.width, size.height, { fit: "fill", kernel: "nearest" });
  const { data, info } = await large.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const sharp = await loadSharp();
  return { ...size, image: sharp(data, { raw: { ...size, channels: info.channels } }) };
}

/**
 * Resizes the shorter side to the input size and extracts the middle square. Sizes and position are rounded like those
 * of `Resize` and `CenterCrop` of torchvision, so that images of models from other libraries are not shifted.
 */
function crop({ image, height, width }: DecodedImage, { imageSize }: InputShape): Sharp {
  const short = Math.min(height, width), long = Math.max(height, width);
  // Scaled to the input size, a very thin image would exceed the limit of libvips. Its middle is extracted first.
  if (long * imageSize / short >= MAX_COORDINATE) {
    const left = Math.floor((width - short) / 2), top = Math.floor((height - short) / 2);
    return image.extract({ left, top, width: short, height: short })
      .resize(imageSize, imageSize, { fit: "fill", ...BICUBIC });
  }
  const scaled = Math.trunc(imageSize * long / short), start = roundHalfToEven((scaled - imageSize) / 2);
  const isWide = width > height, square = { width: imageSize, height: imageSize };
  return image
    .resize(isWide ? scaled : imageSize, isWide ? imageSize : scaled, { fit: "fill", ...BICUBIC })
    .extract({ left: isWide ? start : 0, top: isWide ? 0 : start, ...square });
}

/** Rounds to the nearest whole number, and a half to the even one, as Python's `round` does. */
function roundHalfToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}

/** Crops, squashes or pads an image to the input shape, in 8 bits. */
function resize(source: DecodedImage, input: InputShape, preprocessing: ImagePreprocessing): Sharp {
  const { imageSize, channels } = input, { resize, background } = preprocessing;
  const resized = resize === "crop" ? crop(source, input) : source.image.resize(imageSize, imageSize, {
    fit: resize === "squash" ? "fill" : "contain",
    position: "centre",
    ...BICUBIC,
    background: background === "none" ? "black" : background,
  });
  return resized.toColourspace(channels === 1 ? "b-w" : "srgb");
}

/** Converts a decoded image. @returns `[imageSize, imageSize, channels]`, 0 to 255 */
export async function resizeToInput(
  source: DecodedImage,
  input: InputShape,
  preprocessing: ImagePreprocessing,
): Promise<Bytes> {
  const resized = resize(await repeatPixels(source, input, preprocessing), input, preprocessing);
  const { data, info } = await resized.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  if (info.channels === input.channels) return new Uint8Array(data);
  // A greyscale image keeps one channel in some colour spaces. That channel is copied to all channels.
  const pixels = new Uint8Array(inputLength(input));
  for (let i = 0; i < pixels.length; i++) {
    const pixel = Math.floor(i / input.channels), channel = i % input.channels;
    pixels[i] = data[pixel * info.channels + Math.min(channel, info.channels - 1)];
  }
  return pixels;
}

/**
 * Resizes an image of raw pixels.
 *
 * @param pixels `[height, width, channels]`, 0 to 255
 * @returns `[imageSize, imageSize, channels]`, 0 to 255
 * @example
 * ```ts
 * import { resizeRaw } from "./resizeImage.ts";
 *
 * const white = new Uint8Array(28 * 28).fill(255);
 * const shape = { height: 28, width: 28, channels: 1 } as const;
 * const resized = await resizeRaw(white, shape, { imageSize: 32, channels: 3 }); // 32 * 32 * 3 bytes
 * ```
 */
export async function resizeRaw(
  pixels: Bytes,
  { height, width, channels }: ImageShape,
  input: InputShape,
  preprocessing: ImagePreprocessing = DEFAULT_PREPROCESSING,
): Promise<Bytes> {
  const sharp = await loadSharp();
  const image = sharp(pixels, { raw: { height, width, channels } });
  return await resizeToInput({ image, height, width }, input, preprocessing);
}
