/**
 * Imports weights from local files as a checkpoint.
 *
 * @module
 */
import { type ImagePreprocessing, resolvePreprocessing } from "../../data/images/preprocessing.ts";
import { repositoryName } from "../../data/remote/modelUrl.ts";
import type { ImportedResize } from "../../jobs/artifacts/importedResize.ts";
import { type OpenedWeights, openWeights } from "../../jobs/artifacts/importWeights.ts";
import { ImportError, type LocalWeights } from "../../jobs/artifacts/localWeights.ts";
import { newCheckpointId } from "../../jobs/artifacts/writeCheckpoint.ts";
import { JobFailure } from "../../jobs/failure.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { trainedModel } from "../../jobs/kinds/kind.ts";
import { KINDS } from "../../jobs/kinds/mod.ts";
import { trainingMemoryMessage } from "../../jobs/requests/memory.ts";
import { formatGib } from "../../model/memory.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import type { Services } from "../services.ts";
import { uploadOnce } from "./uploadOnce.ts";

/** Weights to import: local files, and the address or the file name they came from. */
export interface ImportSource {
  readonly weights: LocalWeights;
  /** Name of the checkpoint; by default that of the repository or the file. */
  readonly name?: string;
  /** Names of a classifier's classes; those of the files by default. */
  readonly classNames?: readonly string[];
  /** How the request converts images that are transparent or not square. */
  readonly preprocessing: Partial<ImagePreprocessing>;
  readonly filename: string;
  readonly url: string | null;
}

/** The result of an import. `created` is false when an earlier request created the checkpoint. */
export interface Imported {
  readonly checkpoint: Checkpoint;
  readonly created: boolean;
}

/**
 * Imports weights, once per key.
 *
 * @param open returns the weights. It is not called for a repeated request
 * @param hash returns the hash by which a repeated request is recognised
 * @throws {ProblemError} 422 naming what cannot be imported, 503 without space
 */
export async function importOnce(
  services: Services,
  open: () => Promise<ImportSource>,
  key: string | undefined,
  hash: () => Promise<string>,
  signal: AbortSignal,
): Promise<Imported> {
  const id = newCheckpointId();
  if (key === undefined) {
    return { checkpoint: await importWeights(services, await open(), id, signal), created: true };
  }
  const { resource: checkpoint, created } = await uploadOnce(services, {
    claim: { table: "import", key, fingerprint: await hash(), id },
    find: (id) => services.jobs.getCheckpoint(id),
    store: async (confirm) => await importWeights(services, await open(), id, signal, confirm),
  }, signal);
  return { checkpoint, created };
}

/** Imports weights under an id. Nothing remains stored after an error. */
async function importWeights(
  { jobs, objects, limits, imports }: Services,
  { weights, name, classNames, preprocessing, filename, url }: ImportSource,
  id: string,
  signal: AbortSignal,
  confirm?: () => Promise<void>,
): Promise<Checkpoint> {
  using _running = await imports.wait(signal);
  try {
    await using opened = await openWeights(weights, classNames);
    checkSpace(opened.size, await objects.freeBytes?.() ?? Infinity, "The checkpoint");
    const target = {
      id,
      name: name ?? (defaultName(weights.files[0].name, url) || id),
      filename,
      url,
      rule: ruleOf(opened.resize, preprocessing),
    };
    const notes = trainingNotes(opened, limits.trainingBytes);
    const write = () => opened.write(objects, target, notes, signal);
    return await jobs.importCheckpoint(objects, { id, write, confirm });
  } catch (error) {
    if (error instanceof ImportError) {
      const { field, message } = error, isFile = field !== "class_names";
      throw fieldProblem(422, url !== null && isFile ? "url" : field, message, { cause: error });
    }
    if (!(error instanceof JobFailure)) throw error;
    const headers = { "retry-after": "5" };
    throw new ProblemError(503, `${error.message}: try again`, { headers, cause: error });
  }
}

/** Returns how images are converted: by the rules of the request, else of the files. */
function ruleOf(
  { mode, background }: ImportedResize,
  given: ImportSource["preprocessing"],
): ImagePreprocessing {
  const { resize } = resolvePreprocessing({ resize: mode, ...given });
  return resolvePreprocessing({ ...(resize === "pad" ? { background } : {}), ...given, resize });
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

/**
 * Checks the free space of a disk.
 *
 * @param subject what needs the space, for the message
 * @throws {ProblemError} 503 when fewer bytes are free than needed
 */
export function checkSpace(needed: number, free: number, subject: string): void {
  if (needed <= free) return;
  throw new ProblemError(
    503,
    `${subject} needs ${formatGib(needed)}, and ${formatGib(free)} is free: delete something, then try again`,
    { headers: { "retry-after": "30" } },
  );
}

/** Maximum number of characters of a name that is taken from a file. */
const MAX_NAME_LENGTH = 128;

/** Returns the name of a file without its extension, or of a repository whose file is `model`. It may be empty. */
function defaultName(filename: string, url: string | null): string {
  const stem = filename.replace(/(-\d+-of-\d+)?\.safetensors$/i, "");
  const repository = url === null || stem !== "model" ? null : repositoryName(new URL(url));
  const name = repository ?? stem;
  // Truncation inside a surrogate pair leaves half a character.
  return name.slice(0, MAX_NAME_LENGTH).replace(/[\ud800-\udbff]$/, "").trim();
}
