/**
 * PNG and JPEG pictures into the form a model wants, and back.
 *
 * @module
 */
import type { Sharp } from "sharp";
import type { PictureForm } from "./datasets/dataset.ts";

/** What a picture may be at most. */
export const PICTURE_LIMITS = {
  /** Encoded bytes. */
  bytes: 20 * 2 ** 20,
  /** Pixels: what is unpacked stays below 200 MiB. */
  pixels: 50_000_000,
} as const;

/** A picture that cannot be read; the message says why, without naming the picture. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

/** Size of a decoded picture. */
export interface PictureSize {
  readonly height: number;
  readonly width: number;
  /** 3 when it has colour. */
  readonly channels: 1 | 3;
}

/** The library, loaded at its first use: a job on raw pixels starts without it. */
async function library() {
  const { default: sharp } = await import("sharp");
  // One picture at a time is small work: more threads than callers would only fight for the cores.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/** Effort of PNG's compression, 0 to 9: more takes longer, and small pictures hardly shrink. */
const PNG_LEVEL = 3;

const SIGNATURES = {
  png: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  jpeg: [0xff, 0xd8, 0xff],
};

/** Opens a picture by what its bytes are, whatever its name says. */
async function opened(bytes: Uint8Array<ArrayBuffer>): Promise<Sharp> {
  if (bytes.length === 0) throw new PictureError("is empty");
  if (bytes.length > PICTURE_LIMITS.bytes) {
    throw new PictureError(`has ${bytes.length} bytes, at most ${PICTURE_LIMITS.bytes} are taken`);
  }
  const known = Object.values(SIGNATURES).some((magic) => magic.every((byte, i) => bytes[i] === byte));
  if (!known) throw new PictureError("is neither PNG nor JPEG");
  const sharp = await library();
  return sharp(bytes, { limitInputPixels: PICTURE_LIMITS.pixels, failOn: "warning", pages: 1 });
}

async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PictureError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    const message = /pixel limit/i.test(said)
      ? `has more than ${PICTURE_LIMITS.pixels} pixels`
      : `cannot be decoded: ${said.split("\n")[0].slice(0, 200)}`;
    throw new PictureError(message, { cause: error });
  }
}

/** Turned upright, with the colours that lie below transparency. */
async function opaque(picture: Sharp): Promise<Sharp> {
  const { hasAlpha } = await picture.metadata();
  if (!hasAlpha) return picture.autoOrient();
  // In one go with a resize sharp would weigh colours by their alpha first: what is clear would become black.
  const upright = picture.autoOrient().removeAlpha().toColourspace("srgb");
  const { data, info } = await upright.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const sharp = await library();
  return sharp(data, { raw: { width: info.width, height: info.height, channels: info.channels } });
}

/** Resized over its shorter side and cut to the middle, in 8 bits. */
function formed(picture: Sharp, { imageSize, channels }: PictureForm): Sharp {
  return picture
    .resize(imageSize, imageSize, { fit: "cover", position: "centre", kernel: "cubic" })
    .toColourspace(channels === 1 ? "b-w" : "srgb");
}

async function toForm(picture: Sharp, form: PictureForm): Promise<Uint8Array<ArrayBuffer>> {
  const { data, info } = await formed(picture, form).raw({ depth: "uchar" }).toBuffer({
    resolveWithObject: true,
  });
  const values = form.imageSize ** 2 * form.channels;
  if (info.channels === form.channels) return new Uint8Array(data);
  // A grey picture stays grey in some colour spaces: its one channel stands for all.
  const out = new Uint8Array(values);
  for (let i = 0; i < values; i++) {
    out[i] =
      data[Math.floor(i / form.channels) * info.channels + Math.min(i % form.channels, info.channels - 1)];
  }
  return out;
}

/**
 * Decodes a PNG or JPEG. EXIF rotation is applied, transparency dropped, 16 bits become 8, CMYK becomes RGB, and of
 * an animation the first frame is taken.
 *
 * @returns `[imageSize, imageSize, channels]`, 0 to 255
 * @throws {PictureError}
 */
export async function decodePicture(
  bytes: Uint8Array<ArrayBuffer>,
  form: PictureForm,
): Promise<Uint8Array<ArrayBuffer>> {
  return await reading(async () => toForm(await opaque(await opened(bytes)), form));
}

/**
 * Decodes a PNG or JPEG wholly, to see that it can be, and says what it is.
 *
 * @throws {PictureError}
 */
export async function inspectPicture(bytes: Uint8Array<ArrayBuffer>): Promise<PictureSize> {
  return await reading(async () => {
    const picture = await opened(bytes);
    const { space } = await picture.metadata();
    const { info } = await picture.autoOrient().raw().toBuffer({ resolveWithObject: true });
    return { height: info.height, width: info.width, channels: /^(b-w|grey16)$/.test(space ?? "") ? 1 : 3 };
  });
}

/**
 * A raw picture in the form asked for.
 *
 * @param pixels `[height, width, channels]`, 0 to 255
 * @returns `[imageSize, imageSize, channels]`, 0 to 255
 */
export async function resizeRaw(
  pixels: Uint8Array<ArrayBuffer>,
  { height, width, channels }: PictureSize,
  form: PictureForm,
): Promise<Uint8Array<ArrayBuffer>> {
  const sharp = await library();
  return await toForm(sharp(pixels, { raw: { height, width, channels } }), form);
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
