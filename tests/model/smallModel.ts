/**
 * A small model and its inputs.
 *
 * @module
 */
import { type MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";

/** A configuration with nine patches of 48 values. */
export const config: MaeConfig = {
  ...PRESETS.mnist,
  imageSize: 12,
  patchSize: 4,
  inChannels: 3,
  embedDim: 8,
  depth: 1,
  numHeads: 2,
  decoderEmbedDim: 8,
  decoderDepth: 1,
  decoderNumHeads: 2,
};

/** Initial weights of the MAE. */
export const weights = initialWeights(parameterSpecs(config, { model: "mae" }), 1);

/** Two random images. */
export const pixels = uniform({ seed: 2, purpose: "images" }, 2 * 12 * 12 * 3);
