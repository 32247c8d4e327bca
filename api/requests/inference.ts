/**
 * Requests to a model: which checkpoint, which images, from JSON or a form.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { InputShape } from "../../data/images/imageShape.ts";
import {
  type ImagePreprocessing,
  resizeNote,
  resolvePreprocessing,
} from "../../data/images/preprocessing.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { findSource } from "../../jobs/store/creation/sources.ts";
import { readJson } from "../body/json.ts";
import { withForm } from "../body/multipart.ts";
import type { Services } from "../http/context.ts";
import { inferenceProblem } from "../http/errors.ts";
import { InferenceError } from "../inference/inference.ts";
import { checked } from "../http/validation.ts";
import { datasetProblem } from "../http/datasetProblem.ts";
import { fieldProblem } from "../http/problem.ts";
import { type InferenceRequest, MAX_IMAGES } from "../schemas/inference.ts";
import { limited } from "../http/timeLimit.ts";
import { decodeAll, type EncodedImage, fromBase64 } from "./images.ts";

/** A request with its references looked up. */
export interface Subject<S extends z.ZodType> {
  readonly input: z.output<S>;
  readonly checkpoint: Checkpoint;
  readonly pictures: ImageSet;
  /** How the images were resized; every response reports it. */
  readonly treatment: Treatment;
  readonly signal: AbortSignal;
}

/** How images that are not square or have transparency were treated. */
export interface Treatment extends ImagePreprocessing {
  readonly notes: string[];
}

/**
 * Reads a request, looks up its checkpoint and images, and hands them to `use`.
 *
 * @throws {ProblemError} naming the field that is wrong; 422 for a checkpoint or job that is not there, 409 for a job
 * without a checkpoint, 504 when it took too long
 */
export async function withSubject<S extends z.ZodType<InferenceRequest>, T>(
  services: Services,
  request: Request,
  schema: S,
  use: (subject: Subject<S>) => Promise<T>,
): Promise<T> {
  const { limits } = services;
  const run = async (body: unknown, encoded: readonly EncodedImage[] | null) => {
    const input = checked(schema, body);
    const checkpoint = await findSource(services.jobs, input);
    return await limited(request, limits.inferenceMs, async (signal) => {
      const form = formOf(services, checkpoint, input);
      const { pictures, treatment } = input.dataset === undefined
        ? await sentImages(
          encoded ?? input.pictures!.map((text, at) => fromBase64(text, at, limits)),
          form,
          resolvePreprocessing(input, checkpoint.rule),
        )
        : await datasetImages(services, { ...input, dataset: input.dataset }, form, signal);
      try {
        return await use({ input, checkpoint, pictures, treatment, signal });
      } catch (error) {
        if (!(error instanceof InferenceError)) throw error;
        throw inferenceProblem(error, input.job === undefined ? "checkpoint" : "job");
      }
    });
  };
  if (!/^multipart\//i.test(request.headers.get("content-type") ?? "")) {
    return await run(await readJson(request, limits, limits.imageJsonBytes), null);
  }
  const bounds = { bytes: limits.imagesBytes, idleMs: limits.bodyIdleMs, totalMs: limits.bodyTotalMs };
  const rules = {
    fileFields: ["pictures"],
    repeated: ["pictures"],
    files: Math.min(limits.pictures, MAX_IMAGES),
    fileBytes: limits.imageBytes,
    fields: limits.formFields,
    fieldBytes: limits.formFieldBytes,
  };
  return await withForm(request, bounds, rules, services.tempDir, ({ fields, files }) => {
    const pictures = files.length === 0 ? {} : { pictures: files.map((file) => `file ${file.filename}`) };
    const encoded = files.map((file, at) => ({
      path: `pictures.${at}`,
      read: () => Deno.readFile(file.path),
    }));
    return run({ ...Object.fromEntries(Object.entries(fields).map(typed)), ...pictures }, encoded);
  });
}

/** A form knows only text: what is meant as a number, truth value or list becomes one. */
function typed([name, text]: [string, string]): [string, unknown] {
  if (name === "include") {
    return [name, text.split(",").map((item) => item.trim())];
  }
  if (name === "paste_visible" && (text === "true" || text === "false")) return [name, text === "true"];
  const isNumber = (name === "mask_ratio" || name === "seed") && /^-?\d*\.?\d+([eE]-?\d+)?$/.test(text);
  return [name, isNumber ? Number(text) : text];
}

function formOf(services: Services, checkpoint: Checkpoint, input: InferenceRequest): InputShape {
  const { imageSize, inChannels } = checkpoint.config;
  const [path, count] = input.dataset === undefined
    ? ["pictures", input.pictures!.length]
    : ["dataset.indices", input.dataset.indices.length];
  const most = Math.floor(services.limits.imageValues / (imageSize * imageSize * inChannels));
  if (count > most) {
    throw fieldProblem(
      413,
      path,
      `at most ${most} images of this model's size are taken at once: ${count} were given`,
    );
  }
  return { imageSize, channels: inChannels as 1 | 3 };
}

/** A request's images in the shape of the model's input, and how they were treated. */
interface Treated {
  readonly pictures: ImageSet;
  readonly treatment: Treatment;
}

async function sentImages(
  encoded: readonly EncodedImage[],
  form: InputShape,
  rule: ImagePreprocessing,
): Promise<Treated> {
  const { pictures, notes } = await decodeAll(encoded, form, rule);
  return { pictures, treatment: { ...rule, notes } };
}

async function datasetImages(
  services: Services,
  input: InferenceRequest & { dataset: NonNullable<InferenceRequest["dataset"]> },
  form: InputShape,
  signal: AbortSignal,
): Promise<Treated> {
  const { id, size, seed, split, indices } = input.dataset;
  const info = await services.datasets.info(id).catch((error: unknown) => {
    throw datasetProblem(error, "dataset.id");
  });
  const count = split === "train" && size !== undefined ? size : info.splits[split].count;
  const at = indices.findIndex((index) => index >= count);
  if (at !== -1) {
    throw fieldProblem(
      422,
      `dataset.indices.${at}`,
      `must be a whole number from 0 to ${count - 1}: current value is ${indices[at]}`,
    );
  }
  const rule = resolvePreprocessing(input, info);
  const notes = info.height === info.width && info.height !== null
    ? []
    : [`Images of the data set that are not square: ${resizeNote(rule)}`];
  try {
    const dataset = await services.datasets.open({ id, size, seed }, signal);
    const pictures = await dataset.read(split, indices, form, rule);
    return { pictures, treatment: { ...rule, notes } };
  } catch (error) {
    throw datasetProblem(error, "dataset");
  }
}
