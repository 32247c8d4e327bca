/**
 * Exports to the models of facebookresearch/mae.
 *
 * @module
 */
import { hiddenDim, type MaeConfig } from "../config.ts";
import type { Architecture } from "../weights.ts";
import { exportedTensors } from "./conversions.ts";
import { type ExportPlan, type ExportRequest, FormatError } from "./format.ts";
import { META_NAMING } from "./metaNames.ts";
import { correspondences } from "./naming.ts";
import { mlpRatioOf } from "./mlpRatio.ts";
import { modelJson } from "./wireConfig.ts";

/**
 * Returns the plan for a `state_dict` of `MaskedAutoencoderViT` or `VisionTransformer`. These have no configuration file:
 * `config.json` has our fields, which are the arguments of their constructors.
 *
 * @throws {FormatError}
 */
export function exportMeta({ config, architecture, classNames }: ExportRequest): ExportPlan {
  checkExpressible(config, architecture);
  return {
    tensors: correspondences(config, architecture, META_NAMING).flatMap(exportedTensors),
    configJson: modelJson(config, architecture, classNames),
    preprocessorJson: null,
  };
}

/** @throws {FormatError} */
function checkExpressible(config: MaeConfig, { model }: Architecture): void {
  const { clsToken, embedDim, decoderEmbedDim, mlpRatio, decoderMlpRatio, pool, fcNorm } = config;
  if (!clsToken) {
    throw new FormatError(
      "Meta's models have a class token, and this model has none: use the format unmask, or train with cls_token true",
    );
  }
  if (
    model === "mae" && hiddenDim(decoderEmbedDim, mlpRatioOf(embedDim, hiddenDim(embedDim, mlpRatio))) !==
      hiddenDim(decoderEmbedDim, decoderMlpRatio)
  ) {
    throw new FormatError(
      `Meta's MaskedAutoencoderViT has one mlp_ratio, and this model has ${mlpRatio} in the encoder and ` +
        `${decoderMlpRatio} in the decoder: use the format huggingface or unmask`,
    );
  }
  if (model === "classifier" && fcNorm !== (pool === "mean")) {
    throw new FormatError(
      "Meta's VisionTransformer has a mean of the patch tokens with fc_norm, or a class token without it. This model has " +
        `pool ${pool} and fc_norm ${fcNorm}: use the format timm or unmask`,
    );
  }
}
