import { expect } from "expect";
import { adaptConfig } from "../../../model/adapt/adaptConfig.ts";
import { adaptWeights } from "../../../model/adapt/adaptWeights.ts";
import { selectBackend } from "../../../model/backends/select.ts";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { openPredictor } from "../../../model/prediction/openPredictor.ts";
import { NORMALIZATIONS } from "../../../model/normalizations.ts";
import { uniform } from "../../../model/random.ts";
import {
  type Architecture,
  collectTensors,
  type HostWeights,
  initialWeights,
  parameterSpecs,
} from "../../../model/weights.ts";

const MAE: Architecture = { model: "mae" };
const RGB = completeConfig({
  imageSize: 12,
  patchSize: 4,
  inChannels: 3,
  embedDim: 16,
  numHeads: 2,
  depth: 2,
  decoderEmbedDim: 8,
  decoderNumHeads: 2,
  clsToken: true,
  positions: "sincos_2d",
  normalize: NORMALIZATIONS.imagenet,
});

async function featuresOf(config: MaeConfig, weights: HostWeights, pixels: Float32Array): Promise<number[]> {
  const { planner } = await selectBackend("simd");
  const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
  const features = await predictor.features(pixels);
  await predictor.dispose();
  return [...features];
}

Deno.test("grey pictures keep their features through every change of channels", async () => {
  const weights = initialWeights(parameterSpecs(RGB, MAE), 1);
  const grey = uniform({ seed: 2, purpose: "grey" }, 12 * 12);
  const threeTimes = Float32Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)]);
  const expected = await featuresOf(RGB, weights, threeTimes);
  let source = { config: RGB, architecture: MAE, weights };
  for (const inChannels of [1, 3]) {
    const { config } = adaptConfig({ config: source.config, model: "mae" }, "mae", { inChannels });
    const adapted = await collectTensors(adaptWeights(source, { config, architecture: MAE }, { seed: 0 }));
    const features = await featuresOf(config, adapted, inChannels === 1 ? grey : threeTimes);
    for (const [i, value] of features.entries()) expect(value).toBeCloseTo(expected[i], 5);
    source = { config, architecture: MAE, weights: adapted };
  }
});
