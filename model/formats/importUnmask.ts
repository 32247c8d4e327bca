/**
 * Imports files with our own names, those of the tutorial's `state_dict`.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { MaeConfig } from "../config.ts";
import { type Architecture, parameterSpecs } from "../weights.ts";
import { checkModules } from "./checkTensors.ts";
import { finishImport } from "./finishImport.ts";
import type { ImportPlan, ImportRequest } from "./format.ts";
import {
  checkClassCount,
  dimension,
  inferArchitecture,
  inferGrid,
  type InferredConfig,
  inferSizes,
  type SizeNames,
} from "./inferVit.ts";
import { assumeFields, mergeGiven } from "./mergeConfig.ts";
import { ownCorrespondence, POSITION_TABLES, tableShapes } from "./naming.ts";
import { parseJsonObject, parseModelJson } from "./modelJson.ts";
import type { TensorSet } from "./tensorSet.ts";

/** The name of the metadata's configuration in messages. */
const METADATA = "The metadata's config";

const PATCH_EMBED = "encoder.patch_embed.projection.1.weight";

const NAMES: SizeNames = {
  clsToken: "encoder.cls_token",
  positions: POSITION_TABLES.encoder,
  fcNorm: "fc_norm.weight",
  head: "head.weight",
  blocks: "encoder.blocks.",
  decoderEmbed: "decoder.decoder_embed.weight",
  decoderBlocks: "decoder.decoder_blocks.",
  fc1: "mlp.0.weight",
};

/** Whether a tensor is the patch embedding of a model of ours. */
export const UNMASK_MARKER = /^encoder\.patch_embed\.projection\.1\.weight$/;

/** Returns the plan for a file of ours, or of the tutorial's model without our metadata. @throws {WeightsError} */
export async function importUnmask(request: ImportRequest, set: TensorSet): Promise<ImportPlan> {
  checkModules(set);
  const architecture = inferArchitecture(set, NAMES);
  const { metadata } = request, { inChannels } = inferPatch(set);
  const fromMetadata = metadata.config === undefined
    ? null
    : parseModelJson(parseJsonObject(metadata.config, METADATA), METADATA, inChannels);
  const fromFile = request.config === null ? null : parseModelJson(request.config, "config.json", inChannels);
  for (const named of [metadata.model, fromFile?.model, fromMetadata?.model]) {
    if (named !== undefined && named !== architecture.model) {
      throw new WeightsError(
        `The tensors are those of the model ${architecture.model}, and the metadata or config.json has model '${named}'`,
      );
    }
  }
  checkClassCount(architecture, fromFile?.classes, "config.json: classes");
  checkClassCount(architecture, fromMetadata?.classes, `${METADATA}: classes`);
  const hasTables = set.has(POSITION_TABLES.encoder) || set.has(POSITION_TABLES.decoder);
  const fields = mergeGiven(inferFields(set), [
    ...(fromMetadata ? [{ file: "the metadata", fields: fromMetadata.fields }] : []),
    ...(fromFile ? [{ file: "config.json", fields: fromFile.fields }] : []),
  ]);
  if (fields.imageSize === undefined) {
    throw new WeightsError(
      `The size of the images is unknown: the file has no '${POSITION_TABLES.encoder}'. Add a config.json with ` +
        'image_size, such as {"image_size": 28}',
    );
  }
  // A file with our metadata lacks only fields that were added since it was written. Their defaults are its values.
  const { config, notes } = fromMetadata
    ? assumeFields(fields, {}, architecture.model === "mae")
    : assumeFields(fields, assumedFields(hasTables, architecture), architecture.model === "mae");
  return await finishImport(
    {
      format: "unmask",
      what: describe(architecture, config),
      config,
      architecture,
      classNames: architecture.model === "classifier"
        ? classNamesOf(metadata, fromFile?.classNames ?? null)
        : null,
      needed: (config) =>
        [
          ...(hasTables || config.positions === "stored" ? tableShapes(config, architecture) : []),
          ...parameterSpecs(config, architecture),
        ].map(ownCorrespondence),
      sourceOf: (field) => {
        if (field === "classNames") {
          return metadata.class_names === undefined ? "config.json" : "The metadata";
        }
        if (fromMetadata && field in fromMetadata.fields) return METADATA;
        return fromFile && field in fromFile.fields ? "config.json" : undefined;
      },
      // Files from before the field have the tutorial's positions.
      givenPositions: fields.positions ?? (fromMetadata ? config.positions : undefined),
      notes,
    },
    set,
    request.read,
  );
}

/** Returns the model in words. */
function describe({ model }: Architecture, { depth, decoderDepth }: MaeConfig): string {
  const article = model === "mae" ? "an MAE" : model === "encoder" ? "an encoder" : "a classifier";
  return `${article} of the tutorial with ${depth}${model === "mae" ? ` + ${decoderDepth}` : ""} blocks`;
}

/** Returns the values of the tutorial, for what the shapes of tensors do not determine. */
function assumedFields(hasTables: boolean, { model }: Architecture): Partial<MaeConfig> {
  return {
    layerNormEps: 1e-5,
    normalize: null,
    ...(hasTables ? {} : { positions: "sincos_1d" }),
    ...(model === "mae" ? { maskRatio: 0.75, normPixLoss: false } : { pool: "mean" }),
  };
}

/** Returns the fields that the shapes of tensors determine. @throws {WeightsError} */
function inferFields(set: TensorSet): InferredConfig {
  const embedDim = dimension(set, PATCH_EMBED, 0);
  const fields: InferredConfig = { ...inferSizes(set, NAMES, embedDim), ...inferPatch(set) };
  if (set.has(POSITION_TABLES.encoder)) {
    const { side } = inferGrid(set, POSITION_TABLES.encoder, fields.clsToken!);
    fields.imageSize = side * fields.patchSize!;
  }
  return fields;
}

/** Returns size and channels of a patch of P·P·C values. One of C = 1 and C = 3 makes P whole. @throws {WeightsError} */
function inferPatch(set: TensorSet): { patchSize: number; inChannels: number } {
  const values = dimension(set, PATCH_EMBED, 1);
  for (const inChannels of [1, 3]) {
    const patchSize = Math.round(Math.sqrt(values / inChannels));
    if (patchSize > 0 && patchSize * patchSize * inChannels === values) return { patchSize, inChannels };
  }
  throw new WeightsError(
    `'${
      set.get(PATCH_EMBED)!.source
    }' has patches of ${values} values, which are not those of a square in 1 or 3 channels`,
  );
}

/** Returns the names of the classes in the metadata or in `config.json`. @throws {WeightsError} */
function classNamesOf(metadata: ImportRequest["metadata"], fromFile: readonly string[] | null) {
  if (metadata.class_names === undefined) return fromFile;
  let names: unknown;
  try {
    names = JSON.parse(metadata.class_names);
  } catch {
    names = null;
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) {
    throw new WeightsError("The metadata's class_names must be a JSON list of names");
  }
  return names as string[];
}
