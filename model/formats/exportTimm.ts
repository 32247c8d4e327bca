/**
 * Exports to the Vision Transformer of timm.
 *
 * @module
 */
import type { MaeConfig } from "../config.ts";
import type { Architecture } from "../weights.ts";
import { exportedTensors } from "./conversions.ts";
import { type ExportPlan, type ExportRequest, FormatError } from "./format.ts";
import { META_NAMING } from "./metaNames.ts";
import { correspondences } from "./naming.ts";
import { timmPadding } from "./timmConfig.ts";

/**
 * The term of timm's layer norms, which its `config.json` cannot change. A smaller one, such as the 1e-12 of transformers,
 * gives nearly the same numbers: a layer norm differs by 5e-7 of its value at a variance of 1.
 */
const LAYER_NORM_EPS = 1e-6;

/** timm's names for ways to make an image square (`timm/data/transforms_factory.py`). */
const CROP_MODES = { squash: "squash", crop: "center", pad: "border" } as const;

/**
 * Returns the plan for a folder that `timm.create_model("local-dir:FOLDER", pretrained=True)` loads. Of an MAE, it has the
 * encoder: timm's model has no decoder, and timm takes a file with a mask token for DINOv2.
 *
 * @throws {FormatError}
 */
export function exportTimm(request: ExportRequest): ExportPlan {
  const { config } = request;
  const architecture: Architecture = request.architecture.model === "mae"
    ? { model: "encoder" }
    : request.architecture;
  checkExpressible(config);
  checkPadding(request);
  return {
    tensors: correspondences(config, architecture, META_NAMING).flatMap(exportedTensors),
    configJson: configJson({ ...request, architecture }),
    preprocessorJson: null,
  };
}

/** @throws {FormatError} */
function checkExpressible({ layerNormEps }: MaeConfig): void {
  if (layerNormEps <= LAYER_NORM_EPS) return;
  throw new FormatError(
    `timm's layer norms have the eps ${LAYER_NORM_EPS}, and this model has layer_norm_eps ${layerNormEps}: use the ` +
      "format meta or unmask, or train with layer_norm_eps 1e-6",
  );
}

/** @throws {FormatError} for bars of another colour than the mean, which timm's have */
function checkPadding({ config, resize, background = "none" }: ExportRequest): void {
  if (resize !== "pad") return;
  const padding = timmPadding(meanOf(config)),
    names: Record<string, string> = { white: "#ffffff", none: "#000000" };
  const color = names[background === "black" ? "none" : background] ?? background.toLowerCase();
  if (color === padding) return;
  throw new FormatError(
    `timm pads images with the mean ${padding}, and this model has images with bars of ${color}: use the format meta, ` +
      `which has the same names, or import the weights with background ${padding} or another resize`,
  );
}

function meanOf({ inChannels, normalize }: MaeConfig): readonly number[] {
  return normalize?.mean ?? Array(inChannels).fill(0);
}

/** Returns timm's `config.json`. The arguments of the model replace those of the named architecture. */
function configJson({ config, architecture, classNames, resize = "squash" }: ExportRequest) {
  const { inChannels, imageSize, normalize, fcNorm, pool } = config;
  const isClassifier = architecture.model === "classifier";
  const classes = isClassifier ? architecture.classes : 0;
  const globalPool = pool === "cls" ? "token" : "avg";
  return {
    architecture: architectureName(config),
    num_classes: classes,
    num_features: config.embedDim,
    global_pool: globalPool,
    // timm does not read this. It is the eps for `norm_layer=partial(nn.LayerNorm, eps=...)` where 1e-6 is not close enough.
    layer_norm_eps: config.layerNormEps,
    model_args: {
      img_size: imageSize,
      patch_size: config.patchSize,
      in_chans: inChannels,
      embed_dim: config.embedDim,
      depth: config.depth,
      num_heads: config.numHeads,
      mlp_ratio: config.mlpRatio,
      class_token: config.clsToken,
      global_pool: globalPool,
      fc_norm: isClassifier && fcNorm,
      num_classes: classes,
    },
    pretrained_cfg: {
      custom_load: false,
      input_size: [inChannels, imageSize, imageSize],
      fixed_input_size: true,
      interpolation: "bicubic",
      crop_pct: 1,
      crop_mode: CROP_MODES[resize],
      mean: meanOf(config),
      std: normalize?.std ?? Array(inChannels).fill(1),
      num_classes: classes,
      pool_size: null,
      first_conv: "patch_embed.proj",
      classifier: "head",
      ...(classNames && isClassifier ? { label_names: classNames } : {}),
    },
  };
}

/** Returns the architecture of timm that is most like a model. */
function architectureName({ embedDim, patchSize }: MaeConfig): string {
  const sizes: Readonly<Record<number, string>> = { 192: "tiny", 384: "small", 768: "base", 1024: "large" };
  if (embedDim === 1280 && patchSize === 14) return "vit_huge_patch14_224";
  return `vit_${sizes[embedDim] ?? "base"}_patch16_224`;
}
