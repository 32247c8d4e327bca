/**
 * PNG and JPEG images into the form a model wants, and back.
 *
 * @module
 */
import type { Sharp } from "sharp";
import type { ImageForm } from "../datasets/dataset.ts";
import { isImage } from "./formats.ts";
import { PixelBudget } from "./pixelBudget.ts";
import { DEFAULT_RULE, type ImageRule, type ImageShape } from "./preparation.ts";

/** What an image may be at most. */
export const IMAGE_LIMITS = {
  /** Encoded bytes. */
  bytes: 20 * 2 ** 20,
  /** Pixels: what is unpacked stays below 200 MiB. */
  pixels: 50_000_000,
  /** Most pixels of a side, the limit of JPEG. */
  side: 65_535,
} as const;

/** An image that cannot be read; the message says why, without naming the image. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}

/** What an image is. */
export interface ImageSize {
  readonly height: number;
  readonly width: number;
  /** 3 when it has colour. */
  readonly channels: 1 | 3;
}

/** What is known of an image after it was decoded. */
export type InspectedImage = ImageSize & ImageShape;

/** The library, loaded at its first use: a job on raw pixels starts without it. */
async function library() {
  const { default: sharp } = await import("sharp");
  // One image at a time is small work: more threads than callers would only fight for the cores.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/**
 * Limits the images that this process decodes at the same time. Some kinds are unpacked whole, to 4 or more bytes per
 * pixel, so that many large ones would take gigabytes.
 */
const decoding = new PixelBudget(64_000_000);

/** Effort of PNG's compression, 0 to 9: more takes longer, and small images hardly shrink. */
const PNG_LEVEL = 3;

/**
 * Warnings of libjpeg about files that every reader shows correctly. Cameras and scanners write such files. The other
 * warnings of libjpeg mean that pixels are missing or wrong.
 */
const HARMLESS = /extraneous bytes before marker|unknown JFIF revision|unknown Adobe color transform/i;

/** Opens an image. Its kind is determined by its bytes, not its name. @param failOn least severe fault refused */
async function opened(bytes: Uint8Array<ArrayBuffer>, failOn: "warning" | "error"): Promise<Sharp> {
  if (bytes.length === 0) throw new ImageError("is empty");
  if (bytes.length > IMAGE_LIMITS.bytes) {
    throw new ImageError(`has ${bytes.length} bytes, at most ${IMAGE_LIMITS.bytes} are taken`);
  }
  if (!isImage(bytes)) throw new ImageError("is neither PNG nor JPEG");
  const sharp = await library();
  return sharp(bytes, { limitInputPixels: IMAGE_LIMITS.pixels, failOn, pages: 1 });
}

async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    const message = /pixel limit/i.test(said)
      ? `has more than ${IMAGE_LIMITS.pixels} pixels`
      : `cannot be decoded: ${reasonOf(said)}`;
    throw new ImageError(message, { cause: error });
  }
}

/** Lines and prefixes of sharp's messages without information about the image. */
const EMPTY_LINE = /^(warning treated as error.*|libpng read error)?$/i;
const PREFIX = /^(input buffer has corrupt header:|vipsjpeg:|vipspng:|\s)+/i;

/** True for a message of sharp in which every line is about a harmless fault. */
function isHarmless(message: string): boolean {
  const faults = message.split("\n").filter((line) => !EMPTY_LINE.test(line.trim()));
  return faults.length > 0 && faults.every((line) => HARMLESS.test(line));
}

/** Turns sharp's message into a sentence with the reason why an image cannot be decoded. */
function reasonOf(said: string): string {
  const lines = said.split("\n").map((line) => line.replace(PREFIX, "").replace(/\p{C}/gu, "?").trim());
  const detail = lines.find((line) => !EMPTY_LINE.test(line))?.slice(0, 200);
  if (detail !== undefined && /unsupported|not supported/i.test(detail)) return detail;
  const part = /corrupt header|IHDR/.test(said) ? "its header is damaged" : "its data is damaged";
  return detail === undefined ? part : `${part} (${detail})`;
}

/** The image turned upright, with its transparency removed or replaced by the background. */
async function opaque(picture: Sharp, hasAlpha: boolean, background: string): Promise<Sharp> {
  if (!hasAlpha) return picture.autoOrient();
  // In one go with a resize sharp would weigh colours by their alpha first: what is clear would become black.
  const upright = background === "none" ? picture.autoOrient().removeAlpha() : picture.autoOrient();
  const { data, info } = await upright.toColourspace("srgb").raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const sharp = await library();
  const { width, height, channels } = info;
  const pixels = sharp(data, { raw: { width, height, channels } });
  return background === "none" ? pixels : pixels.flatten({ background });
}

/** Longest side that libvips supports, in pixels (`VIPS_MAX_COORD`). */
const MOST_SCALED = 10_000_000;

/** Maps `resize` to the `fit` option of sharp. */
const FITS = { crop: "cover", squash: "fill", pad: "contain" } as const;

/** A source of pixels and its upright size. */
interface Source {
  readonly picture: Sharp;
  readonly height: number;
  readonly width: number;
}

/**
 * Repeats the rows or columns of an image if `squash` enlarges one side of it and not the other. Otherwise libvips
 * would shift the image by half a pixel along the side that is not enlarged.
 */
async function repeated(source: Source, { imageSize }: ImageForm, rule: ImageRule): Promise<Source> {
  const { picture, height, width } = source;
  const mixed = Math.min(height, width) < imageSize && Math.max(height, width) >= imageSize;
  if (rule.resize !== "squash" || !mixed) return source;
  const times = (side: number) => side * Math.max(1, Math.ceil(imageSize / side));
  const size = { height: times(height), width: times(width) };
  const large = picture.resize(size.width, size.height, { fit: "fill", kernel: "nearest" });
  const { data, info } = await large.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const sharp = await library();
  return { ...size, picture: sharp(data, { raw: { ...size, channels: info.channels } }) };
}

/** The image resized by the rule, in 8 bits. */
function formed({ picture, height, width }: Source, form: ImageForm, rule: ImageRule): Sharp {
  const { imageSize, channels } = form;
  const short = Math.min(height, width), long = Math.max(height, width);
  // A line of pixels would become too long when its shorter side is scaled. Its middle is therefore extracted before.
  const middle = rule.resize === "crop" && long * imageSize / short >= MOST_SCALED;
  const cut = middle
    ? picture.extract({
      left: Math.floor((width - short) / 2),
      top: Math.floor((height - short) / 2),
      width: short,
      height: short,
    })
    : picture;
  return cut
    .resize(imageSize, imageSize, {
      fit: FITS[rule.resize],
      position: "centre",
      kernel: "cubic",
      background: rule.background === "none" ? "black" : rule.background,
    })
    .toColourspace(channels === 1 ? "b-w" : "srgb");
}

async function toForm(
  source: Source,
  form: ImageForm,
  rule: ImageRule,
): Promise<Uint8Array<ArrayBuffer>> {
  const { data, info } = await formed(await repeated(source, form, rule), form, rule).raw({ depth: "uchar" })
    .toBuffer({
      resolveWithObject: true,
    });
  const values = form.imageSize ** 2 * form.channels;
  if (info.channels === form.channels) return new Uint8Array(data);
  // A grey image stays grey in some colour spaces: its one channel stands for all.
  const out = new Uint8Array(values);
  for (let i = 0; i < values; i++) {
    out[i] =
      data[Math.floor(i / form.channels) * info.channels + Math.min(i % form.channels, info.channels - 1)];
  }
  return out;
}

/**
 * Decodes a PNG or JPEG. EXIF rotation is applied, transparency is treated by the rule, 16 bits become 8, CMYK becomes
 * RGB, and only the first frame of an animation is used. Every image that {@linkcode inspectImage} accepts can be
 * decoded at every size. This function does not detect all faults that {@linkcode inspectImage} refuses.
 *
 * @returns `[imageSize, imageSize, channels]`, 0 to 255
 * @throws {ImageError}
 */
export async function decodeImage(
  bytes: Uint8Array<ArrayBuffer>,
  form: ImageForm,
  rule: ImageRule = DEFAULT_RULE,
): Promise<Uint8Array<ArrayBuffer>> {
  return await reading(async () => {
    const encoded = await opened(bytes, "error");
    const { hasAlpha, autoOrient: { height, width } } = await encoded.metadata();
    return await decoding.run(height * width, async () => {
      const picture = await opaque(encoded, hasAlpha, rule.background);
      return await toForm({ picture, height, width }, form, rule);
    });
  });
}

/**
 * Decodes a whole PNG or JPEG to check it, and returns its size and shape. Damaged and truncated files are refused.
 *
 * @throws {ImageError}
 */
export async function inspectImage(bytes: Uint8Array<ArrayBuffer>): Promise<InspectedImage> {
  return await reading(async () => {
    try {
      return await inspected(bytes, "warning", (pixels, decode) => decoding.run(pixels, decode));
    } catch (error) {
      if (error instanceof ImageError) throw error;
      // libvips keeps the messages of all threads in one buffer. The image is therefore decoded alone, so that only the
      // messages about its own faults decide whether it is accepted.
      return await decoding.run(decoding.total, () => inspectedAlone(bytes));
    }
  });
}

async function inspectedAlone(bytes: Uint8Array<ArrayBuffer>): Promise<InspectedImage> {
  const run: Run = (_, decode) => decode();
  try {
    return await inspected(bytes, "warning", run);
  } catch (error) {
    if (!(error instanceof Error) || !isHarmless(error.message)) throw error;
    return await inspected(bytes, "error", run);
  }
}

/** Runs the decoding of an image of `pixels` pixels. */
type Run = <T>(pixels: number, decode: () => Promise<T>) => Promise<T>;

async function inspected(
  bytes: Uint8Array<ArrayBuffer>,
  failOn: "warning" | "error",
  run: Run,
): Promise<InspectedImage> {
  const picture = await opened(bytes, failOn);
  const { space, hasAlpha, width: across, height: down } = await run(0, () => picture.metadata());
  if (Math.max(across, down) > IMAGE_LIMITS.side) {
    throw new ImageError(`is ${across} x ${down}: at most ${IMAGE_LIMITS.side} pixels a side are taken`);
  }
  const { info: { height, width } } = await run(
    across * down,
    () => picture.autoOrient().raw().toBuffer({ resolveWithObject: true }),
  );
  return { height, width, channels: /^(b-w|grey16)$/.test(space ?? "") ? 1 : 3, hasAlpha };
}

/**
 * A raw image in the form asked for.
 *
 * @param pixels `[height, width, channels]`, 0 to 255
 * @returns `[imageSize, imageSize, channels]`, 0 to 255
 */
export async function resizeRaw(
  pixels: Uint8Array<ArrayBuffer>,
  { height, width, channels }: ImageSize,
  form: ImageForm,
  rule: ImageRule = DEFAULT_RULE,
): Promise<Uint8Array<ArrayBuffer>> {
  const sharp = await library();
  const picture = sharp(pixels, { raw: { height, width, channels } });
  return await toForm({ picture, height, width }, form, rule);
}

/** A PNG. @param pixels `[height, width, channels]`, 0 to 255 */
export async function encodePng(
  pixels: Uint8Array<ArrayBuffer>,
  width: number,
  height: number,
  channels: 1 | 3,
): Promise<Uint8Array<ArrayBuffer>> {
  const sharp = await library();
  const picture = sharp(pixels, { raw: { width, height, channels } });
  const colours = picture.toColourspace(channels === 1 ? "b-w" : "srgb");
  return new Uint8Array(await colours.png({ compressionLevel: PNG_LEVEL }).toBuffer());
}
