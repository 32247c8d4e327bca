/**
 * Imports ViTMAE and ViT of transformers.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import { completeConfig, type MaeConfig } from "../config.ts";
import type { Architecture } from "../weights.ts";
import { checkModules } from "./checkTensors.ts";
import { finishImport, type RecognisedModel } from "./finishImport.ts";
import type { ImportPlan, ImportRequest } from "./format.ts";
import { huggingFaceNaming, MODEL_TYPES, publishedName } from "./huggingFaceNames.ts";
import { dimension } from "./inferVit.ts";
import { JsonFields, namesByNumber, shortJson } from "./jsonFields.ts";
import { mlpRatioOf } from "./mlpRatio.ts";
import { type Correspondence, correspondences } from "./naming.ts";
import { normalizationOf } from "./preprocessor.ts";
import { rename, type TensorSet } from "./tensorSet.ts";

/** The names that transformers has for fields of ours. */
const FIELD_NAMES: RecognisedModel["fieldNames"] = {
  inChannels: "num_channels",
  embedDim: "hidden_size",
  depth: "num_hidden_layers",
  numHeads: "num_attention_heads",
  mlpRatio: "intermediate_size / hidden_size",
  decoderEmbedDim: "decoder_hidden_size",
  decoderDepth: "decoder_num_hidden_layers",
  decoderNumHeads: "decoder_num_attention_heads",
  decoderMlpRatio: "decoder_intermediate_size / decoder_hidden_size",
  dropout: "hidden_dropout_prob",
  normalize: "image_mean and image_std",
};

/** Returns the plan for a model of transformers. @throws {WeightsError} */
export async function importHuggingFace(request: ImportRequest, tensors: TensorSet): Promise<ImportPlan> {
  if (request.config === null) {
    throw new WeightsError(
      "These are Hugging Face's tensor names, and config.json is missing: add the config.json beside the weights",
    );
  }
  const fields = new JsonFields(request.config), type = modelType(fields);
  const set = rename(tensors, publishedName);
  checkModules(set);
  const hasDecoder = [...set.keys()].some((name) => name.startsWith("decoder."));
  if (hasDecoder && type === "vit") {
    throw new WeightsError(
      "config.json has model_type vit, and the file a decoder. A ViTForMaskedImageModeling (SimMIM) is not supported: " +
        "without the tensors decoder.* its encoder can be imported",
    );
  }
  const head = set.get("classifier.weight");
  if (head && hasDecoder) {
    throw new WeightsError(
      "The file has a decoder and a classifier: a model has one of them, so remove the other",
    );
  }
  const architecture: Architecture = hasDecoder
    ? { model: "mae" }
    : head
    ? { model: "classifier", classes: dimension(set, "classifier.weight", 0) }
    : { model: "encoder" };
  checkForward(fields);
  const config = readConfig(fields, type, architecture), hasBias = fields.boolean("qkv_bias", true);
  const notes: string[] = [];
  if (fields.assumed.size > 0) {
    const assumed = [...fields.assumed].map(([name, value]) => `${name} ${value}`).join(", ");
    notes.push(`config.json lacks fields. The defaults of transformers are assumed: ${assumed}`);
  }
  if (!hasBias) notes.push("The model has no biases of queries, keys and values (qkv_bias): ours are 0");
  const { normalize, note } = normalizationOf(request.preprocessor ?? null, type, config.inChannels);
  notes.push(note, ...dropoutNotes(fields), ...problemNotes(fields, architecture));
  return await finishImport(
    {
      format: "huggingface",
      what: describe(type, architecture, config),
      config: { ...config, normalize },
      architecture,
      classNames: architecture.model === "classifier" ? classNamesOf(fields) : null,
      fieldNames: FIELD_NAMES,
      sourceOf: (field) =>
        field === "normalize" && request.preprocessor ? "preprocessor_config.json" : "config.json",
      needed: (config) =>
        correspondences(config, architecture, huggingFaceNaming(true))
          .map((tensor) => hasBias ? tensor : withoutBias(tensor)),
      ignored: (name) =>
        name.startsWith("vit.pooler.") || (type === "vit" && name === "vit.embeddings.mask_token"),
      notes,
    },
    set,
    request.read,
  );
}

/** Returns the name of the class in transformers, and the number of layers. */
function describe(type: string, { model }: Architecture, { depth, decoderDepth }: MaeConfig): string {
  if (model === "mae") return `a ViTMAEForPreTraining of transformers with ${depth} + ${decoderDepth} layers`;
  const name = model === "classifier"
    ? "ViTForImageClassification"
    : type === "vit"
    ? "ViTModel"
    : "ViTMAEModel";
  return `a ${name} of transformers with ${depth} layers`;
}

/** @throws {WeightsError} for another architecture */
function modelType(fields: JsonFields): string {
  const type = fields.raw("model_type");
  if (typeof type === "string" && MODEL_TYPES.includes(type)) return type;
  throw fields.error("model_type", MODEL_TYPES.join(" or "));
}

/** @throws {WeightsError} for fields that change what the model computes in a way that ours cannot */
function checkForward(fields: JsonFields): void {
  if (fields.text("hidden_act", "gelu") !== "gelu") throw fields.error("hidden_act", "gelu, the exact form");
  const heads = fields.count("num_attention_heads", 12), width = fields.count("hidden_size", 768);
  if (width % heads !== 0) {
    throw fields.error("num_attention_heads", `a divisor of hidden_size, which is ${width}`);
  }
  const headDim = fields.raw("head_dim");
  if (headDim !== undefined && headDim !== null && headDim !== width / heads) {
    throw fields.error("head_dim", `hidden_size / num_attention_heads, ${width / heads}, or absent`);
  }
  const pruned = fields.object("pruned_heads");
  if (pruned && Object.keys(pruned).length > 0) throw fields.error("pruned_heads", "empty");
  if (fields.raw("quantization_config")) {
    throw new WeightsError("config.json: quantized weights (quantization_config) are not supported");
  }
}

/** Returns our configuration, without `normalize`. */
function readConfig(fields: JsonFields, type: string, architecture: Architecture): MaeConfig {
  const embedDim = fields.count("hidden_size", 768);
  const isMae = type === "vit_mae";
  const decoder = isMae ? fields : new JsonFields({}); // A ViT has no fields of a decoder.
  const decoderEmbedDim = decoder.count("decoder_hidden_size", 512);
  return completeConfig({
    imageSize: fields.side("image_size", 224),
    patchSize: fields.side("patch_size", 16),
    inChannels: fields.count("num_channels", 3),
    embedDim,
    depth: fields.count("num_hidden_layers", 12),
    numHeads: fields.count("num_attention_heads", 12),
    mlpRatio: mlpRatioOf(embedDim, fields.count("intermediate_size", 3072)),
    decoderEmbedDim,
    decoderDepth: decoder.count("decoder_num_hidden_layers", 8),
    decoderNumHeads: decoder.count("decoder_num_attention_heads", 16),
    decoderMlpRatio: mlpRatioOf(decoderEmbedDim, decoder.count("decoder_intermediate_size", 2048)),
    maskRatio: maskRatioOf(decoder, architecture),
    normPixLoss: decoder.boolean("norm_pix_loss", false),
    layerNormEps: fields.number("layer_norm_eps", 1e-12),
    dropout: fields.number("hidden_dropout_prob", 0),
    clsToken: true,
    positions: "stored",
    pool: isMae && architecture.model !== "classifier" ? "mean" : "cls",
  });
}

/** Returns the mask ratio. Users of an encoder often set it to 0 so that nothing is masked, which ours does anyway. */
function maskRatioOf(fields: JsonFields, { model }: Architecture): number {
  const ratio = fields.number("mask_ratio", 0.75);
  return model !== "mae" && ratio === 0 ? 0.75 : ratio;
}

function withoutBias(tensor: Correspondence): Correspondence {
  return tensor.name.endsWith(".attn.in_proj_bias") ? { ...tensor, stored: [], layout: "zeros" } : tensor;
}

function dropoutNotes(fields: JsonFields): string[] {
  const hidden = fields.raw("hidden_dropout_prob") ?? 0,
    attention = fields.raw("attention_probs_dropout_prob") ?? 0;
  if (hidden === attention) return [];
  return [
    `attention_probs_dropout_prob ${shortJson(attention)} is not used: our dropout is ${shortJson(hidden)}`,
  ];
}

/** Returns a note if the classes of a head do not exclude each other. */
function problemNotes(fields: JsonFields, { model }: Architecture): string[] {
  const type = fields.raw("problem_type") ?? null;
  if (model !== "classifier" || type === null || type === "single_label_classification") return [];
  return [`problem_type ${shortJson(type)} is not used: our probabilities are a softmax of the logits`];
}

/** Returns the names of the classes, or null for the placeholders `LABEL_0`, `LABEL_1`. @throws {WeightsError} */
function classNamesOf(fields: JsonFields): string[] | null {
  const labels = fields.object("id2label");
  if (labels === null) return null;
  const names = namesByNumber(labels);
  if (names === null) throw fields.error("id2label", "an object of names with the keys 0, 1, 2 and so on");
  return names.every((name, i) => name === `LABEL_${i}`) ? null : names;
}
