/**
 * The models of the benchmarks by name.
 *
 * @module
 */
import { completeConfig, type MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";

/** Returns a preset in the form of the tutorial's classes, which the scripts for PyTorch have too. */
function tutorialForm(preset: MaeConfig): MaeConfig {
  const { clsToken, positions, layerNormEps, normPixLoss, normalize } = completeConfig({});
  return { ...preset, clsToken, positions, layerNormEps, normPixLoss, normalize };
}

/**
 * The presets. `tutorial_vit_base` and `tutorial_vit_large` have the same sizes as `vit_base` and `vit_large`, but no
 * class token and 1-D positions: these are the models that PyTorch is compared with.
 */
export const MODELS = {
  ...PRESETS,
  tutorial_vit_base: tutorialForm(PRESETS.vit_base),
  tutorial_vit_large: tutorialForm(PRESETS.vit_large),
} as const satisfies Readonly<Record<string, MaeConfig>>;

/** The name of a model. */
export type ModelName = keyof typeof MODELS;
