/**
 * The `preprocessor_config.json` of Hugging Face.
 *
 * @module
 */
import type { MaeConfig, Normalization } from "../config.ts";
import { namedNormalization } from "../normalizations.ts";
import type { ExportRequest } from "./format.ts";
import { JsonFields } from "./jsonFields.ts";

/**
 * Returns the normalisation of pixels in [0, 1], and a note. Without a file, it is that of the published checkpoints:
 * ImageNet's for ViTMAE, and 0.5 for ViT.
 *
 * @throws {WeightsError} for a field of another type
 */
export function normalizationOf(
  json: Readonly<Record<string, unknown>> | null,
  type: string,
  channels: number,
): { normalize: MaeConfig["normalize"]; note: string } {
  if (json === null) {
    const name = channels !== 3 ? "none" : type === "vit_mae" ? "imagenet" : "half";
    return {
      normalize: namedNormalization(name, channels),
      note: `Without preprocessor_config.json, the pixels' normalisation is assumed: normalize ${name}`,
    };
  }
  const fields = new JsonFields(json, "preprocessor_config.json");
  const normalizes = fields.boolean("do_normalize", true);
  // Transformers multiplies bytes by the factor. Ours are multiplied by 1/255.
  const factor = fields.boolean("do_rescale", true) ? fields.number("rescale_factor", 1 / 255) : 1;
  const scale = Math.abs(factor * 255 - 1) < 1e-6 ? 1 : factor * 255;
  const mean = (normalizes ? fields.numbers("image_mean") : null) ??
    Array(channels).fill(normalizes ? 0.5 : 0);
  const std = (normalizes ? fields.numbers("image_std") : null) ?? Array(channels).fill(normalizes ? 0.5 : 1);
  const normalize: Normalization = {
    mean: mean.map((value) => value / scale),
    std: std.map((value) => value / scale),
  };
  const isIdentity = normalize.mean.every((value) => value === 0) &&
    normalize.std.every((value) => value === 1);
  return {
    normalize: isIdentity ? null : normalize,
    note: "The pixels' normalisation is that of preprocessor_config.json",
  };
}

/** Pillow's number of bicubic resampling. */
const BICUBIC = 3;

/**
 * Returns the `preprocessor_config.json` of a model. The image processors of transformers' ViT cannot pad images, so for
 * `pad` they leave images as they are, and the model refuses one of another size; see {@linkcode padNote}.
 */
export function imageProcessorConfig(
  { imageSize, inChannels, normalize }: MaeConfig,
  resize: NonNullable<ExportRequest["resize"]>,
): Record<string, unknown> {
  const square = { height: imageSize, width: imageSize };
  const { mean, std } = normalize ?? { mean: Array(inChannels).fill(0), std: Array(inChannels).fill(1) };
  return {
    image_processor_type: resize === "crop" ? "CLIPImageProcessor" : "ViTImageProcessor",
    do_resize: resize !== "pad",
    size: resize === "crop" ? { shortest_edge: imageSize } : square,
    resample: BICUBIC,
    do_center_crop: resize === "crop",
    ...(resize === "crop" ? { crop_size: square } : {}),
    do_convert_rgb: inChannels === 3,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: normalize !== null,
    image_mean: mean,
    image_std: std,
  };
}

/** Returns a note on what to do with images before an image processor that does not resize them. */
export function padNote({ imageSize }: MaeConfig, background: string): string {
  const colour = background === "none" ? "black" : background;
  return "This model expects images that were padded to a square and then resized (resize=pad). The image processors of " +
    "ViT in transformers cannot pad, so preprocessor_config.json has do_resize false. Before the processor, pad each " +
    `image to a square with ${colour} bars of equal width, and resize it to ${imageSize} x ${imageSize} pixels.`;
}
