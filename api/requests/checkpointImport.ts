/**
 * Reads an upload of weights and imports it as a checkpoint.
 *
 * @module
 */
import { tmpdir } from "node:os";
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { freeBytesOf } from "../../data/freeSpace.ts";
import { decodeJson, StrictJsonError } from "../../data/strictJson.ts";
import { type OpenedWeights, openWeights } from "../../jobs/artifacts/importWeights.ts";
import { ImportError, type ImportField, type LocalWeights } from "../../jobs/artifacts/localWeights.ts";
import { newCheckpointId } from "../../jobs/artifacts/writeCheckpoint.ts";
import { JobFailure } from "../../jobs/failure.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { trainedModel } from "../../jobs/kinds/kind.ts";
import { KINDS } from "../../jobs/kinds/mod.ts";
import { trainingMemoryMessage } from "../../jobs/requests/memory.ts";
import { formatGib } from "../../model/memory.ts";
import { withForm } from "../body/multipart.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import { withTimeLimit } from "../http/timeLimit.ts";
import { validate } from "../http/validation.ts";
import { IMPORT_FILES, importFields } from "../schemas/checkpointImport.ts";
import type { Services } from "../services.ts";
import { uploadHash, uploadOnce } from "./uploadOnce.ts";

/** Maximum size of each JSON file of a model. */
const MAX_JSON_BYTES = 8 * 2 ** 20;

/** A source of weights: local files, and the address or the file name they came from. */
interface ImportSource {
  readonly weights: LocalWeights;
  readonly name: string | undefined;
  readonly filename: string | null;
  readonly url: string | null;
  /** Returns the hash by which a repeated request is recognised. */
  readonly hash: (signal: AbortSignal) => Promise<string>;
}

/**
 * Imports the weights of a form as a checkpoint.
 *
 * @param idempotencyKey requests with the same key and content create one checkpoint
 * @returns the checkpoint; `created` is false when an earlier request created it
 * @throws {ProblemError} for a form that is invalid or too large, 422 naming what cannot be imported, 503 without space,
 * 504 when the time is over
 */
export async function importCheckpointUpload(
  services: Services,
  request: Request,
  idempotencyKey: string | undefined,
): Promise<{ checkpoint: Checkpoint; created: boolean }> {
  const { limits, tempDir } = services;
  await checkSpace(
    Number(request.headers.get("content-length") ?? 0),
    freeBytesOf(tempDir ?? tmpdir()),
    "The upload",
  );
  const bodyLimits = { bytes: limits.weightsBytes, idleMs: limits.bodyIdleMs, totalMs: limits.uploadTotalMs };
  const rules = {
    fileFields: IMPORT_FILES,
    repeatableFileFields: ["weights"],
    files: limits.weightsFiles,
    fileBytes: limits.weightsBytes,
    fields: limits.formFields,
    fieldBytes: limits.formFieldBytes,
  };
  return await withForm(request, bodyLimits, rules, tempDir, async ({ fields, files }) => {
    const { name } = validate(importFields, fields);
    const weights = await localWeights(files), [{ name: filename }] = weights.files;
    const filenames = weights.files.map(({ name }) => name);
    return await withTimeLimit(request, limits.uploadStoreMs, (signal) =>
      importOnce(
        services,
        {
          weights,
          name,
          filename,
          url: null,
          hash: (signal) => uploadHash({ name: name ?? "", filenames }, files, signal),
        },
        idempotencyKey,
        signal,
      ));
  });
}

/** Imports weights, once per key. */
async function importOnce(
  services: Services,
  source: ImportSource,
  key: string | undefined,
  signal: AbortSignal,
): Promise<{ checkpoint: Checkpoint; created: boolean }> {
  const id = newCheckpointId();
  if (key === undefined) {
    return { checkpoint: await importWeights(services, source, id, signal), created: true };
  }
  const fingerprint = await source.hash(signal);
  const { resource: checkpoint, created } = await uploadOnce(services, {
    claim: { table: "import", key, fingerprint, id },
    find: (id) => services.jobs.getCheckpoint(id),
    store: (confirm) => importWeights(services, source, id, signal, confirm),
  }, signal);
  return { checkpoint, created };
}

/** Imports weights under an id. Nothing remains stored after an error. */
async function importWeights(
  { jobs, objects, limits }: Services,
  { weights, name, filename, url }: ImportSource,
  id: string,
  signal: AbortSignal,
  confirm?: () => Promise<void>,
): Promise<Checkpoint> {
  try {
    await using opened = await openWeights(weights);
    await checkSpace(opened.size, objects.freeBytes?.() ?? Promise.resolve(Infinity), "The checkpoint");
    const target = { id, name: name ?? (nameFromFile(filename ?? "") || id), filename, url };
    const notes = trainingNotes(opened, limits.trainingBytes);
    const write = () => opened.write(objects, target, notes, signal);
    return await jobs.importCheckpoint(objects, { id, write, confirm });
  } catch (error) {
    if (error instanceof ImportError) throw fieldProblem(422, error.field, error.message, { cause: error });
    if (!(error instanceof JobFailure)) throw error;
    throw new ProblemError(503, `${error.message}: try again`, {
      headers: { "retry-after": "5" },
      cause: error,
    });
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

/** Returns a note if no job can train the model with this service's limit of memory. */
function trainingNotes({ plan, classNames }: OpenedWeights, maxBytes: number): string[] {
  const { architecture, config } = plan;
  const messages = KINDS.flatMap(({ sources, trains }) => {
    if (trains === null || !sources.includes(architecture.model)) return [];
    return [trainingMemoryMessage(trainedModel(trains, config, Math.max(2, classNames.length)), 1, maxBytes)];
  });
  const [first] = messages;
  if (typeof first !== "string" || messages.includes(null)) return [];
  return [`The model can be used, but not trained here: ${first}`];
}

/** @throws {ProblemError} 503 when fewer bytes are free than needed */
async function checkSpace(needed: number, free: Promise<number>, subject: string): Promise<void> {
  const bytes = await free;
  if (needed <= bytes) return;
  throw new ProblemError(
    503,
    `${subject} needs ${formatGib(needed)}, and ${
      formatGib(bytes)
    } is free: delete something, then try again`,
    { headers: { "retry-after": "30" } },
  );
}

/** Maximum number of characters of a name that is taken from a file. */
const MAX_NAME_LENGTH = 128;

/** Removes the extension of a file of weights. The result may be empty. */
function nameFromFile(filename: string): string {
  const name = filename.replace(/(-\d+-of-\d+)?\.safetensors$/i, "");
  // Truncation inside a surrogate pair leaves half a character.
  return name.slice(0, MAX_NAME_LENGTH).replace(/[\ud800-\udbff]$/, "").trim();
}
