/**
 * Imports weights of other libraries: from local files to one safetensors file of ours in object storage. At most one
 * tensor of the result and its sources are in memory.
 *
 * @module
 */
import type { Bytes } from "../../data/bytes.ts";
import { yieldToEventLoop } from "../../data/eventLoop.ts";
import type { ImagePreprocessing } from "../../data/images/preprocessing.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { SafetensorsError } from "../../data/safetensors/error.ts";
import { layoutSafetensors, type SafetensorsLayout, streamedChunks } from "../../data/safetensors/layout.ts";
import { readHead } from "../../data/readHead.ts";
import { HEAD_BYTES, refuseOtherFormats } from "../../data/safetensors/otherFormats.ts";
import { openTensorFiles, type TensorFiles } from "../../data/safetensors/tensorFiles.ts";
import { parseStrictJson, StrictJsonError } from "../../data/strictJson.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import type { ImportPlan } from "../../model/formats/format.ts";
import { planImport } from "../../model/formats/planImport.ts";
import { sizeOf } from "../../model/shape.ts";
import { bufferTensors, type HostTensor } from "../../model/weights.ts";
import type { Checkpoint, CheckpointOrigin } from "../job.ts";
import { namesForRow } from "./classNames.ts";
import { type ImportedResize, importedResize } from "./importedResize.ts";
import { ImportError, type ImportField, type LocalWeights } from "./localWeights.ts";
import { checkpointKeys } from "./objectKeys.ts";
import { putVerified } from "./putVerified.ts";
import { readFinite } from "./readFinite.ts";
import { weightsMetadata } from "./writeCheckpoint.ts";

/** Limits of the JSON files of a model: 65,536 classes have names, and numbers by name. */
const JSON_LIMITS = { depth: 16, values: 150_000 };
/** Maximum number of values of a tensor. The widest MLP that a configuration allows has them: 1 GiB in float32. */
const MAX_TENSOR_VALUES = 2 ** 28;
/** Maximum number of notes of a checkpoint, and of the characters of each. They are stored in its row. */
const MAX_NOTES = 20, NOTE_LENGTH = 1000;

/** A tensor of the file to write. */
interface PlannedTensor {
  readonly name: string;
  readonly dtype: "F32";
  readonly shape: readonly number[];
  /** Reads and converts its values. */
  readonly read: () => Promise<Float32Array>;
}

/** What a checkpoint is imported under. */
export interface ImportTarget {
  readonly id: string;
  readonly name: string;
  readonly filename: string;
  readonly url: string | null;
  /** How images are converted that are transparent or not square. */
  readonly rule: ImagePreprocessing;
}

/** Weights whose headers, names, shapes and configuration have been checked. Their values have not been read. */
export class OpenedWeights implements AsyncDisposable {
  readonly plan: ImportPlan;
  /** Class names of a classifier: those of the files, or the numbers from 0; else empty. */
  readonly classNames: readonly string[];
  /** How images are made square, according to the files. */
  readonly resize: ImportedResize;
  readonly #files: TensorFiles;
  readonly #layout: SafetensorsLayout<PlannedTensor>;

  constructor(files: TensorFiles, plan: ImportPlan, resize: ImportedResize) {
    this.#files = files;
    this.resize = resize;
    this.plan = plan;
    const { architecture, config, tensors } = plan;
    const large = tensors.find(({ shape }) => sizeOf(shape) > MAX_TENSOR_VALUES);
    if (large !== undefined) {
      throw new WeightsError(
        `'${large.sources}' has ${
          sizeOf(large.shape)
        } values: a tensor must have at most ${MAX_TENSOR_VALUES}`,
      );
    }
    const classes = architecture.model === "classifier" ? architecture.classes : 0;
    this.classNames = plan.classNames ?? Array.from({ length: classes }, (_, label) => String(label));
    this.#layout = layoutSafetensors(
      this.#tensors(),
      weightsMetadata(config, architecture, this.classNames, 0),
    );
  }

  /** Size of the file to write, in bytes. */
  get size(): number {
    return this.#layout.size;
  }

  /** Notes on what was ignored and assumed, limited to what a row can hold. */
  get notes(): readonly string[] {
    const { notes, classNames, architecture } = this.plan;
    const unnamed = architecture.model === "classifier" && classNames === null
      ? [
        `The files do not name the classes: they are named 0 to ${architecture.classes - 1}. ` +
        "Import them with class_names to name them",
      ]
      : [];
    return [...notes, ...unnamed, ...this.resize.notes].slice(0, MAX_NOTES).map((note) =>
      note.slice(0, NOTE_LENGTH)
    );
  }

  /**
   * Writes the checkpoint's object and reads it back.
   *
   * @returns the row to record
   * @throws {ImportError} for a value that is not finite, and for a file that ends early
   */
  async write(
    store: ObjectStore,
    { id, name, filename, url, rule }: ImportTarget,
    extraNotes: readonly string[] = [],
    signal?: AbortSignal,
  ): Promise<Omit<Checkpoint, "createdAt">> {
    const { format, config, architecture, missing } = this.plan;
    const { objectKey } = checkpointKeys(id);
    const sha256 = await withField(() => putVerified(store, objectKey, () => this.#chunks(signal), signal));
    const origin: CheckpointOrigin = {
      format,
      filename,
      url,
      missing,
      notes: [...this.notes, ...extraNotes],
    };
    return {
      id,
      jobId: null,
      name,
      origin,
      model: architecture.model,
      step: 0,
      epoch: 0,
      final: true,
      metrics: {},
      config,
      classes: this.classNames.length,
      classNames: namesForRow(this.classNames),
      rule,
      size: this.size,
      sha256,
      objectKey,
      stateKey: null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]();
  }

  async *#chunks(signal?: AbortSignal): AsyncGenerator<Bytes, void> {
    for await (const chunk of streamedChunks(this.#layout, ({ read }) => read())) {
      signal?.throwIfAborted();
      yield chunk;
      await yieldToEventLoop();
    }
  }

  /** Returns the tensors of the file: those of the plan, and the position tables that are not stored. */
  #tensors(): PlannedTensor[] {
    const { config, architecture, tensors } = this.plan;
    const planned = tensors.map(({ name, shape, sources, convert }): PlannedTensor => ({
      name,
      dtype: "F32",
      shape,
      read: async () => {
        const read: HostTensor[] = [];
        for (const source of sources) read.push(await readFinite(this.#files, source));
        return convert(read).data;
      },
    }));
    if (config.positions === "stored") return planned;
    const tables = [...bufferTensors(config, architecture)].map(([name, { shape, data }]): PlannedTensor => ({
      name,
      dtype: "F32",
      shape,
      read: () => Promise.resolve(data),
    }));
    return [...tables, ...planned];
  }
}

/**
 * Opens weights and plans their import. No value is read but those of position tables.
 *
 * @param classNames the names of a classifier's classes, in place of those of the files
 * @throws {ImportError} naming the part that is wrong
 */
export async function openWeights(
  weights: LocalWeights,
  classNames?: readonly string[],
): Promise<OpenedWeights> {
  const { files, indexText } = weights;
  for (const { name, path } of files) {
    await withField(async () => refuseOtherFormats(name, await readHead(path, HEAD_BYTES)));
  }
  const config = await parseFile("config", "config.json", weights.configText);
  const preprocessor = await parseFile(
    "preprocessor_config",
    "preprocessor_config.json",
    weights.preprocessorText ?? null,
  );
  const opened = await withField(() => openTensorFiles(files, indexText ?? undefined));
  try {
    const { tensors, metadata } = opened;
    const read = (name: string) => readFinite(opened, name);
    const plan = await withField(() => planImport({ tensors, config, preprocessor, metadata, read }));
    const named = classNames === undefined ? plan : withClassNames(plan, classNames);
    return await withField(() =>
      Promise.resolve(new OpenedWeights(opened, named, importedResize(preprocessor, config)))
    );
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** Returns a plan with other class names. @throws {ImportError} unless the model has this number of classes */
function withClassNames(plan: ImportPlan, classNames: readonly string[]): ImportPlan {
  const { architecture } = plan;
  if (architecture.model !== "classifier") {
    throw new ImportError("class_names", "must be left out: the weights have no head of a classifier");
  }
  const { classes } = architecture;
  if (classNames.length !== classes) {
    const rule = `must have ${classes} names, one for each row of the head: it has ${classNames.length}`;
    throw new ImportError("class_names", rule);
  }
  return { ...plan, classNames };
}

/** Parses a JSON file, if there is one. @throws {ImportError} unless it is a JSON object without ambiguities */
async function parseFile(
  field: ImportField,
  name: string,
  text: string | null,
): Promise<Record<string, unknown> | null> {
  if (text === null) return null;
  let value: unknown;
  try {
    value = await parseStrictJson(text, JSON_LIMITS);
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    const subject = error.path === "" ? name : `${name}: ${error.path}`;
    throw new ImportError(field, `${subject} ${error.message}`, { cause: error });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new ImportError(field, `${name} must be a JSON object`);
}

/** Runs a part of an import. @throws {ImportError} naming the part that the message of an error is about */
async function withField<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof WeightsError || error instanceof SafetensorsError)) throw error;
    const { message } = error;
    let field: ImportField = "weights";
    if (/^config\.json|config\.json is missing/.test(message)) field = "config";
    if (message.startsWith("preprocessor_config.json")) field = "preprocessor_config";
    if (message.startsWith("The index")) field = "index";
    throw new ImportError(field, message, { cause: error });
  }
}
