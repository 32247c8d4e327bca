/**
 * Decoding of PNG and JPEG files to the input of a model.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import type { Sharp } from "sharp";
import { decodeBudget, loadSharp, openImage, withImageErrors } from "./imageFile.ts";
import type { InputShape } from "./imageShape.ts";
import { DEFAULT_PREPROCESSING, type ImagePreprocessing } from "./preprocessing.ts";
import { resizeToInput } from "./resizeImage.ts";

/** Applies EXIF rotation, and removes transparency or replaces it by the background. */
async function flatten(image: Sharp, hasAlpha: boolean, background: string): Promise<Sharp> {
  if (!hasAlpha) return image.autoOrient();
  const upright = background === "none" ? image.autoOrient().removeAlpha() : image.autoOrient();
  // Pixels are decoded before the resize. In one pipeline sharp would multiply colours by their alpha, and transparent
  // pixels would become black.
  const { data, info } = await upright.toColourspace("srgb").raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const sharp = await loadSharp();
  const { width, height, channels } = info;
  const pixels = sharp(data, { raw: { width, height, channels } });
  return background === "none" ? pixels : pixels.flatten({ background });
}

/**
 * Decodes a PNG or JPEG. EXIF rotation is applied, transparency is removed as `preprocessing` specifies, 16 bits become
 * 8, CMYK becomes RGB, and only the first frame of an animation is used. Every image that `inspectImage` accepts can be
 * decoded at every size. This function does not detect all faults that `inspectImage` refuses.
 *
 * @returns `[imageSize, imageSize, channels]`, 0 to 255
 * @throws {ImageError}
 * @example
 * ```ts
 * import { decodeImage } from "./decodeImage.ts";
 *
 * const file = await Deno.readFile("photo.jpg");
 * const pixels = await decodeImage(file, { imageSize: 224, channels: 3 }); // 224 * 224 * 3 bytes
 * ```
 */
export async function decodeImage(
  bytes: Bytes,
  input: InputShape,
  preprocessing: ImagePreprocessing = DEFAULT_PREPROCESSING,
): Promise<Bytes> {
  return await withImageErrors(async () => {
    const encoded = await openImage(bytes, "error");
    const { hasAlpha, autoOrient: { height, width } } = await encoded.metadata();
    return await decodeBudget.run(height * width, async () => {
      const image = await flatten(encoded, hasAlpha, preprocessing.background);
      return await resizeToInput({ image, height, width }, input, preprocessing);
    });
  });
}
