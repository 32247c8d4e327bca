/**
 * The last steps of every import: the checks, and the kind of positions.
 *
 * @module
 */
import { checkConfig } from "../checkConfig.ts";
import { WeightsError } from "../checkWeights.ts";
import type { MaeConfig } from "../config.ts";
import type { Architecture, HostTensor } from "../weights.ts";
import { checkTensors } from "./checkTensors.ts";
import { importedTensor } from "./conversions.ts";
import type { Half, ImportedTensor, ImportPlan, ImportRequest, WeightsFormat } from "./format.ts";
import { type Correspondence, POSITION_TABLES } from "./naming.ts";
import { positionKind, roundedTolerance, TABLE_TOLERANCE } from "./positionKind.ts";
import type { TensorSet } from "./tensorSet.ts";
import { wireName } from "./wireConfig.ts";

/** A model that was recognised. */
export interface RecognisedModel {
  readonly format: WeightsFormat;
  /** The model in words, for messages. */
  readonly what: string;
  /** `positions` is decided here when the tables are stored. */
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  readonly classNames: readonly string[] | null;
  /**
   * Returns where the file has the tensors of the model, position tables included if it has them.
   *
   * @param config a valid configuration
   */
  needed(config: MaeConfig): readonly Correspondence[];
  /** The format's names of our fields, for messages. @default our names in JSON */
  readonly fieldNames?: Partial<Record<keyof MaeConfig, string>>;
  /** Returns the file that gives a field or the class names; undefined for a field that the tensors determine. */
  sourceOf(field: keyof MaeConfig | "classNames"): string | undefined;
  /** The positions that a file names. Stored tables must be these. */
  readonly givenPositions?: MaeConfig["positions"];
  /** Tensors to ignore, by their names in the set. */
  readonly ignored?: (name: string) => boolean;
  readonly notes: readonly string[];
}

/** Returns the plan of an import. @throws {WeightsError} when tensors or configuration are not those of the model */
export async function finishImport(
  model: RecognisedModel,
  set: TensorSet,
  read: ImportRequest["read"],
): Promise<ImportPlan> {
  const { format, architecture, notes } = model;
  checkFields(model);
  const needed = model.needed(model.config);
  const isIgnored = model.ignored ?? (() => false);
  checkTensors(set, needed, isIgnored, model.what);
  if (architecture.model === "classifier") checkClasses(architecture.classes, model);
  const planned = needed.map((tensor) => importedTensor(tensor, (name) => set.get(name)!.source));
  const positions = await positionsOf(model, planned, set, read);
  const ignored = [...set].filter(([name]) => isIgnored(name)).map(([, { source }]) => source);
  return {
    format,
    config: { ...model.config, positions },
    architecture,
    classNames: model.classNames,
    tensors: planned.filter(({ name }) => positions === "stored" || !isTable(name)),
    missing: missingHalves(architecture),
    notes: ignored.length === 0 ? notes : [...notes, `Ignored: ${ignored.join(", ")}`],
  };
}

const isTable = (name: string) => name === POSITION_TABLES.encoder || name === POSITION_TABLES.decoder;

function missingHalves({ model }: Architecture): Half[] {
  return model === "mae" ? ["head"] : model === "encoder" ? ["decoder", "head"] : ["decoder"];
}

/**
 * Returns the kind of positions: that of the stored tables, or that of the configuration if none are stored.
 *
 * @throws {WeightsError} when a file names positions that the stored tables do not have
 */
async function positionsOf(
  { config, needed, givenPositions = "stored" }: RecognisedModel,
  planned: readonly ImportedTensor[],
  set: TensorSet,
  read: ImportRequest["read"],
): Promise<MaeConfig["positions"]> {
  const table = async (name: string): Promise<HostTensor | undefined> => {
    const tensor = planned.find((tensor) => tensor.name === name);
    return tensor?.convert(await Promise.all(tensor.sources.map(read)));
  };
  const encoder = await table(POSITION_TABLES.encoder);
  if (!encoder) return config.positions;
  const [{ name }] = needed(config).find(({ name }) => name === POSITION_TABLES.encoder)!.stored;
  const { dtype, source } = set.get(name)!;
  const tolerance = givenPositions === "stored" ? TABLE_TOLERANCE : roundedTolerance(dtype);
  const tables = { encoder, decoder: await table(POSITION_TABLES.decoder) };
  const kind = positionKind(config, tables, givenPositions, tolerance);
  if (givenPositions === "stored" || kind === givenPositions) return kind;
  throw new WeightsError(
    `positions is ${givenPositions} in the configuration, and '${source}' has other values: it must be ${kind} or absent`,
  );
}

/** @throws {WeightsError} for a field outside of our range */
function checkFields({ config, architecture, what, fieldNames, sourceOf }: RecognisedModel): void {
  const issues = checkConfig(config, architecture.model);
  if (issues.length === 0) return;
  const [{ field, message }] = issues;
  const source = sourceOf(field) ?? `The configuration of ${what} cannot be used`;
  throw new WeightsError(`${source}: ${fieldNames?.[field] ?? wireName(field)} ${message}`);
}

/** Maximum number of classes. ImageNet-21k has 21,843. */
export const MAX_CLASSES = 65536;

/** Maximum number of characters of a class name. Responses repeat the names for each image. */
export const MAX_CLASS_NAME = 1000;

/** @throws {WeightsError} for too many classes, and when their names are fewer or more */
function checkClasses(classes: number, { classNames: names, sourceOf }: RecognisedModel): void {
  if (classes > MAX_CLASSES) {
    throw new WeightsError(`The head has ${classes} classes: it must have at most ${MAX_CLASSES}`);
  }
  if (names === null) return;
  const source = sourceOf("classNames");
  if (names.length !== classes) {
    throw new WeightsError(
      `${source} names ${names.length} classes, and the head has ${classes}: there must be one name for each class`,
    );
  }
  const label = names.findIndex((name) => name.length > MAX_CLASS_NAME);
  if (label >= 0) {
    throw new WeightsError(
      `${source}: the name of class ${label} has ${
        names[label].length
      } characters: it must have at most ${MAX_CLASS_NAME}`,
    );
  }
}
