/**
 * Named configurations.
 *
 * @module
 */
import { completeConfig, type MaeConfig } from "./config.ts";

/** What all models of He et al. 2022 have in common: the images, and the decoder. */
const HE_2022 = {
  imageSize: 224,
  patchSize: 16,
  inChannels: 3,
  decoderEmbedDim: 512,
  decoderDepth: 8,
  decoderNumHeads: 16,
  mlpRatio: 4,
};

/**
 * `mnist` and `tutorial`: the model that the tutorial trains, for grey images of 28 x 28 pixels. `vit_base`, `vit_large`: ViT-Base/16 and ViT-Large/16 with
 * the decoder of He et al. 2022.
 */
export const PRESETS = {
  mnist: completeConfig({}),
  tutorial: completeConfig({}),
  vit_base: completeConfig({ ...HE_2022, embedDim: 768, depth: 12, numHeads: 12 }),
  vit_large: completeConfig({ ...HE_2022, embedDim: 1024, depth: 24, numHeads: 16 }),
} as const satisfies Readonly<Record<string, MaeConfig>>;

/** Name of a preset. */
export type PresetName = keyof typeof PRESETS;
