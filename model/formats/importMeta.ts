/**
 * Imports models of facebookresearch/mae and of timm, whose tensors have the same names.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { MaeConfig } from "../config.ts";
import { namedNormalization } from "../normalizations.ts";
import type { Architecture } from "../weights.ts";
import { checkModules } from "./checkTensors.ts";
import { finishImport, type RecognisedModel } from "./finishImport.ts";
import type { ImportPlan, ImportRequest } from "./format.ts";
import {
  checkClassCount,
  dimension,
  type Grid,
  inferArchitecture,
  inferGrid,
  type InferredConfig,
  inferSizes,
  type SizeNames,
} from "./inferVit.ts";
import { assumeFields, mergeGiven, PUBLISHED_DECODER } from "./mergeConfig.ts";
import { META_NAMING } from "./metaNames.ts";
import { type ModelJson, parseModelJson } from "./modelJson.ts";
import { type Correspondence, correspondences, POSITION_TABLES } from "./naming.ts";
import type { TensorSet } from "./tensorSet.ts";
import { isTimmConfig, parseTimmConfig } from "./timmConfig.ts";

const PATCH_EMBED = "patch_embed.proj.weight";

const NAMES: SizeNames = {
  clsToken: META_NAMING.clsToken,
  positions: META_NAMING.positions,
  fcNorm: "fc_norm.weight",
  head: "head.weight",
  blocks: "blocks.",
  decoderEmbed: "decoder_embed.weight",
  decoderBlocks: "decoder_blocks.",
  fc1: "mlp.fc1.weight",
};

/** The term of the layer norms of both. */
const LAYER_NORM_EPS = 1e-6;

/** The names that timm has for fields of ours. */
const TIMM_FIELD_NAMES: RecognisedModel["fieldNames"] = {
  imageSize: "img_size",
  inChannels: "in_chans",
  normalize: "mean and std",
};

/** Returns the plan for a model of Meta or timm. @throws {WeightsError} */
export async function importMeta(request: ImportRequest, set: TensorSet): Promise<ImportPlan> {
  const isTimm = request.config !== null && isTimmConfig(request.config);
  const json: ModelJson = request.config === null
    ? { fields: {}, classNames: null }
    : isTimm
    ? parseTimmConfig(request.config, dimension(set, PATCH_EMBED, 0))
    : parseModelJson(request.config, "config.json", dimension(set, PATCH_EMBED, 1));
  checkModules(set);
  const architecture = inferArchitecture(set, NAMES), isMae = architecture.model === "mae";
  if (!isMae && set.has(META_NAMING.maskToken)) {
    throw new WeightsError(
      `The file has '${
        set.get(META_NAMING.maskToken)!.source
      }' and no decoder. That is a model of DINOv2, iBOT or BEiT, ` +
        "which is not supported: an MAE also has decoder_embed, decoder_blocks and decoder_pred",
    );
  }
  const { fields: inferred, grid } = inferFields(set);
  checkModel(architecture, json);
  checkClassCount(architecture, json.classes, `config.json: ${isTimm ? "num_classes" : "classes"}`);
  const fields = mergeGiven(inferred, [{ file: "config.json", fields: json.fields }]);
  const assumed = assumedFields(fields, architecture, isTimm);
  const { config, notes } = assumeFields(fields, assumed, isMae, {
    positions: "stored",
    ...(isTimm ? { layerNormEps: LAYER_NORM_EPS } : {}),
    ...(isMae ? {} : PUBLISHED_DECODER),
  });
  const hasBias = [...set.keys()].some((name) => /^blocks\.\d+\.attn\.qkv\.bias$/.test(name));
  if (!hasBias) notes.push("The model has no biases of queries, keys and values: ours are 0");
  return await finishImport(
    {
      format: isTimm ? "timm" : "meta",
      what: describe(isTimm, architecture, config),
      config,
      architecture,
      classNames: architecture.model === "classifier" ? json.classNames : null,
      ...(isTimm ? { fieldNames: TIMM_FIELD_NAMES } : {}),
      sourceOf: (field) => field === "classNames" || field in json.fields ? "config.json" : undefined,
      givenPositions: fields.positions,
      needed: (config) =>
        correspondences(config, architecture, META_NAMING).map((tensor) => {
          if (!hasBias && tensor.name.endsWith(".attn.in_proj_bias")) {
            return { ...tensor, stored: [], layout: "zeros" };
          }
          return tensor.name === POSITION_TABLES.encoder ? tableIn(tensor, grid, config) : tensor;
        }),
      notes,
    },
    set,
    request.read,
  );
}

/** Returns the fields that the shapes of tensors determine. @throws {WeightsError} */
function inferFields(set: TensorSet): { fields: InferredConfig; grid: Grid } {
  const { source, shape } = set.get(PATCH_EMBED)!;
  if (shape.length !== 4 || shape[2] !== shape[3]) {
    throw new WeightsError(
      `'${source}' has the shape [${shape}]: it must be [width, channels, P, P], a convolution over square patches`,
    );
  }
  const [embedDim, inChannels, patchSize] = shape;
  const fields: InferredConfig = { ...inferSizes(set, NAMES, embedDim), inChannels, patchSize };
  if (!set.has(NAMES.positions)) {
    throw new WeightsError(
      `The tensor '${NAMES.positions}' is missing: a model without absolute positions is not supported`,
    );
  }
  const grid = inferGrid(set, NAMES.positions, fields.clsToken!);
  fields.imageSize = grid.side * patchSize;
  return { fields, grid };
}

/** Returns where the table of positions is: without a row of the class token for timm's `no_embed_class`. */
function tableIn(tensor: Correspondence, { hasClassRow }: Grid, { clsToken }: MaeConfig): Correspondence {
  if (hasClassRow === clsToken) return tensor;
  const [one, tokens, width] = tensor.shape;
  return {
    ...tensor,
    stored: [{ ...tensor.stored[0], shape: [one, tokens - 1, width] }],
    layout: "patch rows",
  };
}

/** Returns the values of the published code, for what the shapes of tensors do not determine. */
function assumedFields(
  { inChannels, clsToken, fcNorm }: Partial<MaeConfig>,
  { model }: Architecture,
  isTimm: boolean,
): Partial<MaeConfig> {
  const usesClassToken = clsToken && !fcNorm && (isTimm || model === "classifier");
  return {
    ...(isTimm ? {} : { layerNormEps: LAYER_NORM_EPS }),
    normalize: namedNormalization(inChannels === 3 ? (isTimm ? "half" : "imagenet") : "none", inChannels!),
    pool: usesClassToken ? "cls" : "mean",
    ...(model === "mae" ? { maskRatio: 0.75, normPixLoss: false } : {}),
  };
}

/** @throws {WeightsError} when `config.json` is of another model than the tensors */
function checkModel(architecture: Architecture, { model }: ModelJson): void {
  if (model !== undefined && model !== architecture.model) {
    throw new WeightsError(
      `The tensors are those of the model ${architecture.model}, and config.json has model '${model}'`,
    );
  }
}

/** Returns the model in words. */
function describe(isTimm: boolean, { model }: Architecture, { depth, decoderDepth }: MaeConfig): string {
  if (isTimm) return `a Vision Transformer of timm with ${depth} blocks`;
  return model === "mae"
    ? `Meta's MaskedAutoencoderViT with ${depth} + ${decoderDepth} blocks`
    : `Meta's VisionTransformer with ${depth} blocks`;
}
