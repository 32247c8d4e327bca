/**
 * Named configurations.
 *
 * @module
 */
import { completeConfig, type MaeConfig } from "./config.ts";
import { NORMALIZATIONS } from "./normalizations.ts";

/**
 * What all models of He et al. 2022 have in common, as their PyTorch code builds them and as its instructions for
 * pre-training set it: images, normalisation, positions, class token, target and decoder.
 */
const HE_2022 = {
  imageSize: 224,
  patchSize: 16,
  inChannels: 3,
  mlpRatio: 4,
  decoderEmbedDim: 512,
  decoderDepth: 8,
  decoderNumHeads: 16,
  clsToken: true,
  positions: "sincos_2d",
  layerNormEps: 1e-6,
  normPixLoss: true,
  normalize: NORMALIZATIONS.imagenet,
} as const satisfies Partial<MaeConfig>;

/**
 * `mnist` and `tutorial`: the model that the tutorial trains, for grey images of 28 x 28 pixels. `vit_base`,
 * `vit_large` and `vit_huge`: the models of He et al. 2022. `vit_tiny` and `vit_small`: encoders of the sizes of DeiT
 * (Touvron et al. 2021), with the same decoder.
 */
export const PRESETS = {
  mnist: completeConfig({}),
  tutorial: completeConfig({}),
  vit_tiny: completeConfig({ ...HE_2022, embedDim: 192, depth: 12, numHeads: 3 }),
  vit_small: completeConfig({ ...HE_2022, embedDim: 384, depth: 12, numHeads: 6 }),
  vit_base: completeConfig({ ...HE_2022, embedDim: 768, depth: 12, numHeads: 12 }),
  vit_large: completeConfig({ ...HE_2022, embedDim: 1024, depth: 24, numHeads: 16 }),
  vit_huge: completeConfig({ ...HE_2022, patchSize: 14, embedDim: 1280, depth: 32, numHeads: 16 }),
} as const satisfies Readonly<Record<string, MaeConfig>>;

/** Name of a preset. */
export type PresetName = keyof typeof PRESETS;
