/**
 * Loads the images of an inference request in the shape of the model's input.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import { decodeImage } from "../../data/images/decodeImage.ts";
import { ImageError } from "../../data/images/imageFile.ts";
import { type ImageInfo, inputLength, type InputShape } from "../../data/images/imageShape.ts";
import { inspectImage } from "../../data/images/inspectImage.ts";
import {
  backgroundNote,
  type ImagePreprocessing,
  resizeNote,
  resolvePreprocessing,
} from "../../data/images/preprocessing.ts";
import { datasetProblem } from "../http/datasetProblem.ts";
import type { ApiLimits } from "../http/limits.ts";
import { fieldProblem } from "../http/problem.ts";
import type { InferenceRequest } from "../schemas/inference.ts";
import type { Services } from "../services.ts";

/** A PNG or JPEG image of a request. */
export interface EncodedImage {
  /** Path in the request, such as `pictures.3`. */
  readonly path: string;
  /** Reads the bytes of the file. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

/** How the images were resized, which every response reports. */
export interface AppliedPreprocessing extends ImagePreprocessing {
  /** One note per image that is not square or has transparency. */
  readonly notes: string[];
}

/** Images in the shape of the model's input. */
export interface LoadedImages {
  readonly images: ImageSet;
  readonly preprocessing: AppliedPreprocessing;
}

/**
 * Reads an image in base64, bare or as a data URL.
 *
 * @param index of the image in `pictures`
 * @throws {ProblemError} 422 unless it is base64 or a data URL of a PNG or JPEG, 413 when it is too large
 */
export function fromBase64(text: string, index: number, limits: ApiLimits): EncodedImage {
  const path = `pictures.${index}`;
  const prefix = /^data:[^,]{0,100},/.exec(text)?.[0] ?? "";
  if (prefix !== "" && !/^data:image\/(png|jpeg);base64,$/.test(prefix)) {
    throw fieldProblem(
      422,
      path,
      "must begin with data:image/png;base64, or data:image/jpeg;base64, if it is a data URL",
    );
  }
  const maxLength = Math.ceil(limits.imageBytes / 3) * 4;
  if (text.length - prefix.length > maxLength) {
    throw fieldProblem(413, path, `must have at most ${limits.imageBytes} bytes`);
  }
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(text.slice(prefix.length));
  } catch {
    throw fieldProblem(422, path, "must be base64");
  }
  return { path, read: () => Promise.resolve(bytes) };
}

/** Limits the number of values of a request. @throws {ProblemError} 413 */
export function checkImageCount(
  shape: InputShape,
  { pictures, dataset }: InferenceRequest,
  { imageValues }: ApiLimits,
): void {
  const [path, count] = dataset === undefined
    ? ["pictures", pictures!.length]
    : ["dataset.indices", dataset.indices.length];
  const max = Math.floor(imageValues / inputLength(shape));
  if (count <= max) return;
  throw fieldProblem(413, path, `must have at most ${max} images of this model's size: it has ${count}`);
}

/**
 * Decodes images one after another, so that only one is in memory at its original size.
 *
 * @throws {ProblemError} 422 naming the image that cannot be decoded
 */
export async function decodeImages(
  encoded: readonly EncodedImage[],
  shape: InputShape,
  preprocessing: ImagePreprocessing,
): Promise<LoadedImages> {
  const size = inputLength(shape);
  const pixels = new Uint8Array(encoded.length * size);
  const notes: string[] = [];
  for (const [index, image] of encoded.entries()) {
    try {
      const bytes = await image.read();
      notes.push(...notesOn(image.path, await inspectImage(bytes), preprocessing));
      pixels.set(await decodeImage(bytes, shape, preprocessing), index * size);
    } catch (error) {
      if (error instanceof ImageError) throw fieldProblem(422, image.path, error.message);
      throw error;
    }
  }
  const images = { ...shape, count: encoded.length, pixels, labels: null };
  return { images, preprocessing: { ...preprocessing, notes } };
}

function notesOn(
  path: string,
  { height, width, hasAlpha }: ImageInfo,
  preprocessing: ImagePreprocessing,
): string[] {
  const notes: string[] = [];
  if (height !== width) notes.push(`${path} is ${width} x ${height}: ${resizeNote(preprocessing)}`);
  if (hasAlpha) notes.push(`${path} has transparency: ${backgroundNote(preprocessing)}`);
  return notes;
}

/**
 * Reads images of a data set.
 *
 * @param options the `resize` and `background` of the request; by default those of the data set
 * @throws {ProblemError} 422 for a data set or an index that does not exist, 503 when the data set is unavailable
 */
export async function readDatasetImages(
  services: Services,
  { id, size, seed, split, indices }: NonNullable<InferenceRequest["dataset"]>,
  options: Partial<ImagePreprocessing>,
  shape: InputShape,
  signal: AbortSignal,
): Promise<LoadedImages> {
  const info = await services.datasets.info(id).catch((error: unknown) => {
    throw datasetProblem(error, "dataset.id");
  });
  const count = split === "train" && size !== undefined ? size : info.splits[split].count;
  const wrong = indices.findIndex((index) => index >= count);
  if (wrong !== -1) {
    throw fieldProblem(
      422,
      `dataset.indices.${wrong}`,
      `must be a whole number from 0 to ${count - 1}: current value is ${indices[wrong]}`,
    );
  }
  const preprocessing = resolvePreprocessing(options, info);
  const notes = info.height === info.width && info.height !== null
    ? []
    : [`Images of the data set that are not square: ${resizeNote(preprocessing)}`];
  try {
    const dataset = await services.datasets.open({ id, size, seed }, signal);
    const images = await dataset.read(split, indices, shape, preprocessing);
    return { images, preprocessing: { ...preprocessing, notes } };
  } catch (error) {
    throw datasetProblem(error, "dataset");
  }
}
