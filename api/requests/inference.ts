/**
 * Reads inference requests, as JSON or as a form, and loads their checkpoint and images.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { ImageSet } from "../../data/datasets/dataset.ts";
import { inputShapeOf } from "../../data/images/imageShape.ts";
import { resolvePreprocessing } from "../../data/images/preprocessing.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { findSource } from "../../jobs/store/creation/sources.ts";
import { readJson } from "../body/json.ts";
import { withForm } from "../body/multipart.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import { withTimeLimit } from "../http/timeLimit.ts";
import { validate } from "../http/validation.ts";
import { InferenceError } from "../inference/inference.ts";
import { type InferenceRequest, MAX_IMAGES } from "../schemas/inference.ts";
import type { Services } from "../services.ts";
import {
  type AppliedPreprocessing,
  checkImageCount,
  decodeImages,
  type EncodedImage,
  fromBase64,
  readDatasetImages,
} from "./inferenceImages.ts";

/** An inference request with its checkpoint and images. */
export interface InferenceInput<S extends z.ZodType> {
  readonly request: z.output<S>;
  readonly checkpoint: Checkpoint;
  readonly images: ImageSet;
  readonly preprocessing: AppliedPreprocessing;
  /** Aborted when the client disconnects or the time is over. */
  readonly signal: AbortSignal;
}

/** Returns the field of a request that names its checkpoint. */
export function checkpointField({ job }: InferenceRequest): "checkpoint" | "job" {
  return job === undefined ? "checkpoint" : "job";
}

/**
 * Reads a request, finds its checkpoint, loads its images and calls `run` with them. Files of a form are removed
 * afterwards.
 *
 * @throws {ProblemError} naming the field that is wrong: 422 for a checkpoint or job that does not exist, 409 for a job
 * without a checkpoint, 504 when the time is over
 */
export async function withInferenceInput<S extends z.ZodType<InferenceRequest>, T>(
  services: Services,
  request: Request,
  schema: S,
  run: (input: InferenceInput<S>) => Promise<T>,
): Promise<T> {
  const { limits } = services;
  return await withBody(services, request, async (body, files) => {
    const parsed = validate(schema, body);
    const checkpoint = await findSource(services.jobs, parsed);
    return await withTimeLimit(request, limits.inferenceMs, async (signal) => {
      const shape = inputShapeOf(checkpoint.config);
      checkImageCount(shape, parsed, limits);
      const { images, preprocessing } = parsed.dataset === undefined
        ? await decodeImages(
          files ?? parsed.pictures!.map((text, index) => fromBase64(text, index, limits)),
          shape,
          resolvePreprocessing(parsed, checkpoint.rule),
        )
        : await readDatasetImages(services, parsed.dataset, parsed, shape, signal);
      try {
        return await run({ request: parsed, checkpoint, images, preprocessing, signal });
      } catch (error) {
        if (!(error instanceof InferenceError)) throw error;
        throw inferenceProblem(error, checkpointField(parsed));
      }
    });
  });
}

/** Calls `run` with the body as JSON; for a form, with its fields as JSON and its image files. */
async function withBody<T>(
  { limits, tempDir }: Services,
  request: Request,
  run: (body: unknown, files: readonly EncodedImage[] | null) => Promise<T>,
): Promise<T> {
  if (!/^multipart\//i.test(request.headers.get("content-type") ?? "")) {
    const jsonLimits = { ...limits, jsonValues: limits.imageJsonValues };
    return await run(await readJson(request, jsonLimits, limits.imageJsonBytes), null);
  }
  const bodyLimits = { bytes: limits.imagesBytes, idleMs: limits.bodyIdleMs, totalMs: limits.bodyTotalMs };
  const rules = {
    fileFields: ["pictures"],
    repeatableFileFields: ["pictures"],
    files: MAX_IMAGES,
    fileBytes: limits.imageBytes,
    fields: limits.formFields,
    fieldBytes: limits.imageFormFieldBytes,
  };
  return await withForm(request, bodyLimits, rules, tempDir, ({ fields, files }) => {
    const pictures = files.length === 0 ? {} : { pictures: files.map((file) => `file ${file.filename}`) };
    const encoded = files.map((file, index) => ({
      path: `pictures.${index}`,
      read: () => Deno.readFile(file.path),
    }));
    return run({ ...Object.fromEntries(Object.entries(fields).map(parseFormField)), ...pictures }, encoded);
  });
}

/** Converts the text of a form field to the list, boolean or number that the JSON schema expects. */
function parseFormField([name, text]: [string, string]): [string, unknown] {
  if (name === "include" || name === "columns") {
    return [name, text.split(",").map((item) => item.trim())];
  }
  if (name === "mask" || name === "ids_keep" || name === "noise") return [name, parseList(text, name)];
  const isSwitch = name === "paste_visible" || name === "captions";
  if (isSwitch && (text === "true" || text === "false")) return [name, text === "true"];
  const isNumber = (name === "mask_ratio" || name === "seed") && /^-?\d*\.?\d+([eE]-?\d+)?$/.test(text);
  return [name, isNumber ? Number(text) : text];
}

/** Numbers in JSON, in a list or in lists in a list. */
const NUMBER_LIST = /^\s*\[[^[\]{}"]*(\[[^[\]{}"]*\][^[\]{}"]*)*\]\s*$/;

/** Parses a list of numbers that a form field has as JSON. @throws {ProblemError} 422 */
function parseList(text: string, name: string): unknown {
  try {
    if (NUMBER_LIST.test(text)) return JSON.parse(text);
  } catch {
    // The same problem as for other text.
  }
  throw fieldProblem(422, name, "must be a list of numbers in JSON, such as [0,1,1,0]");
}

/** Returns the problem for an error of a model. @param field names the model in the request */
function inferenceProblem(error: InferenceError, field: string): ProblemError {
  if (error.code === "not_finite") return fieldProblem(422, field, error.message);
  if (error.code === "checkpoint_unreadable") return fieldProblem(409, field, error.message);
  if (error.code === "unavailable") {
    return new ProblemError(503, error.message, { headers: { "retry-after": String(error.retrySeconds) } });
  }
  return new ProblemError(500, "The model could not be run. The log has details under this request_id.", {
    cause: error,
  });
}
