/**
 * Uploaded images into the form a model wants.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { InputShape } from "../../data/images/imageShape.ts";
import { decodeImage } from "../../data/images/decodeImage.ts";
import { ImageError } from "../../data/images/imageFile.ts";
import { inspectImage } from "../../data/images/inspectImage.ts";
import { backgroundNote, type ImagePreprocessing, resizeNote } from "../../data/images/preprocessing.ts";
import { type ImageInfo } from "../../data/images/imageShape.ts";
import type { ApiLimits } from "../http/limits.ts";
import { fieldProblem } from "../http/problem.ts";

/** An image as it was sent. */
export interface EncodedImage {
  /** Where it stands in the request, as `pictures.3`. */
  readonly path: string;
  /** Its bytes, PNG or JPEG. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

/** @throws {ProblemError} 422 for what is neither base64 nor a data URL of a PNG or JPEG, 413 when it is too large */
export function fromBase64(text: string, at: number, limits: ApiLimits): EncodedImage {
  const path = `pictures.${at}`;
  const prefix = /^data:[^,]{0,100},/.exec(text)?.[0] ?? "";
  if (prefix !== "" && !/^data:image\/(png|jpeg);base64,$/.test(prefix)) {
    throw fieldProblem(
      422,
      path,
      "a data URL must begin with data:image/png;base64, or data:image/jpeg;base64,",
    );
  }
  const most = Math.ceil(limits.imageBytes / 3) * 4;
  if (text.length - prefix.length > most) {
    throw fieldProblem(413, path, `must have at most ${limits.imageBytes} bytes`);
  }
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(text.slice(prefix.length));
  } catch {
    throw fieldProblem(422, path, "is not base64");
  }
  return { path, read: () => Promise.resolve(bytes) };
}

/**
 * Decodes images one after the other, so that only one is ever unpacked at its own size.
 *
 * @throws {ProblemError} 422 naming the image that cannot be read
 */
export async function decodeAll(
  encoded: readonly EncodedImage[],
  form: InputShape,
  rule: ImagePreprocessing,
): Promise<{ pictures: ImageSet; notes: string[] }> {
  const each = form.imageSize * form.imageSize * form.channels;
  const pixels = new Uint8Array(encoded.length * each);
  const notes: string[] = [];
  for (const [at, picture] of encoded.entries()) {
    try {
      const bytes = await picture.read();
      notes.push(...notesOn(picture.path, await inspectImage(bytes), rule));
      pixels.set(await decodeImage(bytes, form, rule), at * each);
    } catch (error) {
      if (error instanceof ImageError) throw fieldProblem(422, picture.path, error.message);
      throw error;
    }
  }
  return { pictures: { ...form, count: encoded.length, pixels, labels: null }, notes };
}

function notesOn(path: string, { height, width, hasAlpha }: ImageInfo, rule: ImagePreprocessing): string[] {
  const notes: string[] = [];
  if (height !== width) notes.push(`${path} is ${width} x ${height}: ${resizeNote(rule)}`);
  if (hasAlpha) notes.push(`${path} has transparency: ${backgroundNote(rule)}`);
  return notes;
}
