/**
 * Named configurations.
 *
 * @module
 */
import { completeConfig, type MaeConfig } from "./config.ts";

/** `mnist`: a small model for grey images of 28 x 28 pixels. `vit_base`: ViT-Base/16 with the decoder of He et al. 2022. */
export const PRESETS = {
  mnist: completeConfig({}),
  vit_base: completeConfig({
    imageSize: 224,
    patchSize: 16,
    inChannels: 3,
    embedDim: 768,
    depth: 12,
    numHeads: 12,
    decoderEmbedDim: 512,
    decoderDepth: 8,
    decoderNumHeads: 16,
    mlpRatio: 4,
  }),
} as const satisfies Readonly<Record<string, MaeConfig>>;

/** Name of a preset. */
export type PresetName = keyof typeof PRESETS;
