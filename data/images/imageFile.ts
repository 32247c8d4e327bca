/**
 * Opening of PNG and JPEG files, with limits and with errors that a user can understand.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import type { Sharp } from "sharp";
import { isImage } from "./fileType.ts";
import { PixelBudget } from "./pixelBudget.ts";

/** Limits of an encoded image. */
export const IMAGE_LIMITS = {
  /** Encoded bytes. */
  bytes: 20 * 2 ** 20,
  /** Pixels. The decoded image stays below 200 MiB. */
  pixels: 50_000_000,
  /** Pixels of a side, as in JPEG. */
  side: 65_535,
} as const;

/** An image that cannot be read. The message gives the reason without the name of the image. */
export class ImageError extends Error {
  override readonly name = "ImageError";
}

/** Imports sharp at its first use, so that a job on raw pixels starts without it. */
export async function loadSharp() {
  const { default: sharp } = await import("sharp");
  // One thread per image is enough, because callers decode several images in parallel.
  sharp.concurrency(1);
  sharp.cache(false);
  return sharp;
}

/**
 * Limits the images that this process decodes in parallel. Some formats are decoded completely, to 4 or more
 * bytes per pixel, so many large images would need gigabytes.
 */
export const decodeBudget = new PixelBudget(64_000_000);

/**
 * Opens an image. Its first bytes determine its format; its name does not matter.
 *
 * @param failOn lowest severity of a fault that is refused
 * @throws {ImageError}
 */
export async function openImage(
  bytes: Bytes,
  failOn: "warning" | "error",
): Promise<Sharp> {
  if (bytes.length === 0) throw new ImageError("is empty");
  if (bytes.length > IMAGE_LIMITS.bytes) {
    throw new ImageError(`has ${bytes.length} bytes: at most ${IMAGE_LIMITS.bytes} are allowed`);
  }
  if (!isImage(bytes)) throw new ImageError("is neither PNG nor JPEG");
  const sharp = await loadSharp();
  return sharp(bytes, { limitInputPixels: IMAGE_LIMITS.pixels, failOn, pages: 1 });
}

/** Calls `decode` and converts errors of sharp. @throws {ImageError} */
export async function withImageErrors<T>(decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof ImageError) throw error;
    const sharpMessage = error instanceof Error ? error.message : String(error);
    const message = /pixel limit/i.test(sharpMessage)
      ? `has more than ${IMAGE_LIMITS.pixels} pixels`
      : `cannot be decoded: ${describeFault(sharpMessage)}`;
    throw new ImageError(message, { cause: error });
  }
}

/** Lines and prefixes of sharp's messages that do not describe the image. */
const EMPTY_LINE = /^(warning treated as error.*|libpng read error)?$/i;
const PREFIX = /^(input buffer has corrupt header:|vipsjpeg:|vipspng:|\s)+/i;

/**
 * Warnings of libjpeg about files that every decoder shows correctly. Cameras and scanners write such files. The other
 * warnings of libjpeg mean that pixels are missing or wrong.
 */
const HARMLESS = /extraneous bytes before marker|unknown JFIF revision|unknown Adobe color transform/i;

/** Whether every line of a message of sharp is a harmless warning. */
export function isHarmless(sharpMessage: string): boolean {
  const faults = sharpMessage.split("\n").filter((line) => !EMPTY_LINE.test(line.trim()));
  return faults.length > 0 && faults.every((line) => HARMLESS.test(line));
}

function describeFault(sharpMessage: string): string {
  const lines = sharpMessage.split("\n").map((line) =>
    line.replace(PREFIX, "").replace(/\p{C}/gu, "?").trim()
  );
  const detail = lines.find((line) => !EMPTY_LINE.test(line))?.slice(0, 200);
  if (detail !== undefined && /unsupported|not supported/i.test(detail)) return detail;
  const part = /corrupt header|IHDR/.test(sharpMessage) ? "its header is damaged" : "its data is damaged";
  return detail === undefined ? part : `${part} (${detail})`;
}
