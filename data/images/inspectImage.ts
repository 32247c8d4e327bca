/**
 * Strict checks of PNG and JPEG files.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import {
  decodeBudget,
  IMAGE_LIMITS,
  ImageError,
  isHarmless,
  openImage,
  withImageErrors,
} from "./imageFile.ts";
import type { ImageInfo } from "./imageShape.ts";

/**
 * Decodes a whole PNG or JPEG to check it. Damaged and truncated files are refused.
 *
 * @throws {ImageError}
 * @example
 * ```ts
 * import { inspectImage } from "./inspectImage.ts";
 *
 * const { height, width, channels } = await inspectImage(await Deno.readFile("photo.jpg"));
 * ```
 */
export async function inspectImage(bytes: Bytes): Promise<ImageInfo> {
  return await withImageErrors(async () => {
    try {
      return await inspect(bytes, "warning", (pixels, decode) => decodeBudget.run(pixels, decode));
    } catch (error) {
      if (error instanceof ImageError) throw error;
      // libvips keeps the messages of all threads in one buffer. The image is therefore decoded alone, so that only the
      // messages about its own faults decide whether it is accepted.
      return await decodeBudget.run(decodeBudget.total, () => inspectAlone(bytes));
    }
  });
}

async function inspectAlone(bytes: Bytes): Promise<ImageInfo> {
  const run: Run = (_, decode) => decode();
  try {
    return await inspect(bytes, "warning", run);
  } catch (error) {
    if (!(error instanceof Error) || !isHarmless(error.message)) throw error;
    return await inspect(bytes, "error", run);
  }
}

/** Runs the decoding of an image of `pixels` pixels. */
type Run = <T>(pixels: number, decode: () => Promise<T>) => Promise<T>;

async function inspect(
  bytes: Bytes,
  failOn: "warning" | "error",
  run: Run,
): Promise<ImageInfo> {
  const image = await openImage(bytes, failOn);
  const { space, hasAlpha, width: storedWidth, height: storedHeight } = await run(0, () => image.metadata());
  if (Math.max(storedWidth, storedHeight) > IMAGE_LIMITS.side) {
    throw new ImageError(
      `is ${storedWidth} x ${storedHeight}: at most ${IMAGE_LIMITS.side} pixels per side are allowed`,
    );
  }
  const { info: { height, width } } = await run(
    storedWidth * storedHeight,
    () => image.autoOrient().raw().toBuffer({ resolveWithObject: true }),
  );
  return { height, width, channels: /^(b-w|grey16)$/.test(space ?? "") ? 1 : 3, hasAlpha };
}
