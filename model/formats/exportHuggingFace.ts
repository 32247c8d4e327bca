/**
 * Exports to ViTMAE and ViT of transformers.
 *
 * @module
 */
import { hiddenDim, type MaeConfig } from "../config.ts";
import type { Architecture } from "../weights.ts";
import { exportedTensors } from "./conversions.ts";
import { type ExportPlan, type ExportRequest, FormatError } from "./format.ts";
import { huggingFaceNaming } from "./huggingFaceNames.ts";
import { correspondences } from "./naming.ts";
import { imageProcessorConfig, padNote } from "./preprocessor.ts";

/** The class in transformers of each of our models. */
const CLASSES = {
  mae: "ViTMAEForPreTraining",
  encoder: "ViTMAEModel",
  classifier: "ViTForImageClassification",
} as const;

/** Returns the plan for `save_pretrained`'s files of transformers. @throws {FormatError} */
export function exportHuggingFace(request: ExportRequest): ExportPlan {
  const { config, architecture, classNames, resize = "squash", background = "none" } = request;
  checkExpressible(config, architecture);
  const naming = huggingFaceNaming(architecture.model !== "encoder");
  return {
    tensors: correspondences(config, architecture, naming).flatMap(exportedTensors),
    configJson: configJson(config, architecture, classNames),
    preprocessorJson: imageProcessorConfig(config, resize),
    notes: resize === "pad" ? [padNote(config, background)] : [],
  };
}

/** @throws {FormatError} */
function checkExpressible(config: MaeConfig, { model }: Architecture): void {
  if (!config.clsToken) {
    throw new FormatError(
      "transformers' ViTMAE and ViT have a class token, and this model has none: use the format unmask, or train with " +
        "cls_token true",
    );
  }
  if (model !== "classifier") return;
  if (config.fcNorm) {
    throw new FormatError(
      "ViTForImageClassification has no layer norm after the pooling (fc_norm): use the format meta or timm, or train " +
        "with fc_norm false and pool cls",
    );
  }
  if (config.pool !== "cls") {
    throw new FormatError(
      "ViTForImageClassification classifies the class token, and this model the mean of the patch tokens: use the format " +
        "timm, or train with pool cls",
    );
  }
}

function configJson(
  config: MaeConfig,
  architecture: Architecture,
  classNames: readonly string[] | null,
): Record<string, unknown> {
  const isClassifier = architecture.model === "classifier";
  return {
    architectures: [CLASSES[architecture.model]],
    model_type: isClassifier ? "vit" : "vit_mae",
    hidden_size: config.embedDim,
    num_hidden_layers: config.depth,
    num_attention_heads: config.numHeads,
    intermediate_size: hiddenDim(config.embedDim, config.mlpRatio),
    hidden_act: "gelu",
    hidden_dropout_prob: config.dropout,
    attention_probs_dropout_prob: config.dropout,
    initializer_range: 0.02,
    layer_norm_eps: config.layerNormEps,
    image_size: config.imageSize,
    patch_size: config.patchSize,
    num_channels: config.inChannels,
    qkv_bias: true,
    ...(isClassifier
      ? { encoder_stride: config.patchSize, ...labels(architecture.classes, classNames) }
      : decoderJson(config)),
  };
}

function decoderJson(config: MaeConfig): Record<string, unknown> {
  return {
    decoder_hidden_size: config.decoderEmbedDim,
    decoder_num_hidden_layers: config.decoderDepth,
    decoder_num_attention_heads: config.decoderNumHeads,
    decoder_intermediate_size: hiddenDim(config.decoderEmbedDim, config.decoderMlpRatio),
    mask_ratio: config.maskRatio,
    norm_pix_loss: config.normPixLoss,
  };
}

function labels(classes: number, classNames: readonly string[] | null): Record<string, unknown> {
  const names = classNames ?? Array.from({ length: classes }, (_, i) => `LABEL_${i}`);
  return {
    id2label: Object.fromEntries(names.map((name, i) => [String(i), name])),
    label2id: Object.fromEntries(names.map((name, i) => [name, i])),
  };
}
