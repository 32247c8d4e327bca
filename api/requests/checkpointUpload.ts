/**
 * Reads an upload of weights and imports it as a checkpoint.
 *
 * @module
 */
import { tmpdir } from "node:os";
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { freeBytesOf } from "../../data/freeSpace.ts";
import { decodeJson, parseStrictJson, StrictJsonError } from "../../data/strictJson.ts";
import type { ImportField, LocalWeights } from "../../jobs/artifacts/localWeights.ts";
import { MAX_CLASSES } from "../../model/formats/finishImport.ts";
import { withForm } from "../body/multipart.ts";
import { fieldProblem } from "../http/problem.ts";
import { withTimeLimit } from "../http/timeLimit.ts";
import { validate } from "../http/validation.ts";
import { checkpointUrlSchema, IMPORT_FILES, importFields } from "../schemas/checkpointImport.ts";
import type { Services } from "../services.ts";
import { checkSpace, type Imported, importOnce } from "./checkpointImport.ts";
import { importUrl, MAX_JSON_BYTES } from "./checkpointUrl.ts";
import { uploadHash } from "./uploadOnce.ts";

/**
 * Imports the weights of a form as a checkpoint.
 *
 * @param idempotencyKey requests with the same key and content create one checkpoint
 * @throws {ProblemError} for a form that is invalid or too large, 422 naming what cannot be imported, 503 without space
 * or when too many uploads run, 504 when the time is over
 */
export async function importUpload(
  services: Services,
  request: Request,
  idempotencyKey: string | undefined,
): Promise<Imported> {
  const { limits, tempDir } = services;
  using _running = services.uploads.start();
  const size = Number(request.headers.get("content-length") ?? 0);
  checkSpace(size, await freeBytesOf(tempDir ?? tmpdir()), "The upload");
  const bodyLimits = { bytes: limits.weightsBytes, idleMs: limits.bodyIdleMs, totalMs: limits.uploadTotalMs };
  const rules = {
    fileFields: IMPORT_FILES,
    repeatableFileFields: ["weights"],
    files: limits.weightsFiles,
    fileBytes: limits.weightsBytes,
    fields: limits.formFields,
    fieldBytes: limits.jsonBytes,
  };
  return await withForm(request, bodyLimits, rules, tempDir, async ({ fields: texts, files }) => {
    const fields = await withClassNames(texts);
    if (fields.url !== undefined) {
      if (files.length > 0) throw fieldProblem(422, "url", "must be left out when files are sent");
      return await importUrl(services, request, validate(checkpointUrlSchema, fields), idempotencyKey);
    }
    const { name, class_names: classNames, ...preprocessing } = validate(importFields, fields);
    const weights = await localWeights(files), filenames = weights.files.map(({ name }) => name);
    const hashed = { name: name ?? "", classNames, ...preprocessing, filenames };
    const source = { weights, name, classNames, preprocessing, filename: filenames[0], url: null };
    return await withTimeLimit(request, limits.uploadStoreMs, (signal) => {
      const hash = () => uploadHash(hashed, files, signal);
      return importOnce(services, () => Promise.resolve(source), idempotencyKey, hash, signal);
    });
  });
}

/** Returns the fields of a form, with the list of class names that one of them has as JSON. @throws {ProblemError} 422 */
async function withClassNames(fields: Readonly<Record<string, string>>): Promise<Record<string, unknown>> {
  if (fields.class_names === undefined) return fields;
  try {
    const names = await parseStrictJson(fields.class_names, { depth: 1, values: MAX_CLASSES });
    return { ...fields, class_names: names };
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    const message = `must be a list of names in JSON, such as ["cat", "dog"]: it ${error.message}`;
    throw fieldProblem(422, "class_names", message);
  }
}

/** Returns the files of a form as those of a model. @throws {ProblemError} 413 or 422 */
async function localWeights(files: readonly UploadedFile[]): Promise<LocalWeights> {
  const textOf = async (field: ImportField) => {
    const file = files.find((file) => file.field === field);
    return file === undefined ? null : await readText(file, field);
  };
  const weights = files.filter(({ field }) => field === "weights");
  if (weights.length === 0) {
    const rule = "must be one or several safetensors files, as in curl -F weights=@model.safetensors";
    throw fieldProblem(422, "weights", rule);
  }
  return {
    files: weights.map(({ filename, path, size }, i) => ({ name: filename || `weights ${i}`, path, size })),
    indexText: await textOf("index"),
    configText: await textOf("config"),
    preprocessorText: await textOf("preprocessor_config"),
  };
}

async function readText({ path, size, filename }: UploadedFile, field: ImportField): Promise<string> {
  if (size > MAX_JSON_BYTES) throw fieldProblem(413, field, `file must have at most ${MAX_JSON_BYTES} bytes`);
  try {
    return decodeJson(await Deno.readFile(path));
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    throw fieldProblem(422, field, `${filename} ${error.message}`);
  }
}
