import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { imageDim, numPatches } from "../../model/config.ts";
import { maskBatch } from "../../model/mae.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { findVulkan } from "../setup/vulkan.ts";

const vulkan = await findVulkan();
const config = { ...PRESETS.mnist, depth: 1, decoderDepth: 1 },
  dim = imageDim(config),
  n = numPatches(config);
const pixels = uniform({ seed: 2, purpose: "images" }, 9 * dim),
  noise = uniform({ seed: 3, purpose: "noise" }, 9 * n);

async function open() {
  const { planner } = await selectBackend("webgpu");
  const weights = initialWeights(parameterSpecs(config, { model: "mae" }), 1);
  return openPredictor({ config, weights, threads: 1 }, planner);
}

if (vulkan) {
  Deno.test("the bits of an image do not depend on the other images, nor on earlier calls (webgpu)", async () => {
    const predictor = await open();
    const patches = (first: number, images: number, maskRatio: number) => {
      const part = pixels.subarray(first * dim, (first + images) * dim);
      const masked = maskBatch(config, part, noise.subarray(first * n, (first + images) * n), maskRatio);
      return predictor.patches(masked);
    };
    const all = await patches(0, 9, 0.75), features = await predictor.features(pixels);
    // More plans than are kept, and calls that overlap.
    for (let keep = 1; keep <= n; keep += 4) {
      await Promise.all([1, 3].map((images) => patches(0, images, 1 - (keep + 0.5) / n)));
    }
    for (const [first, images] of [[0, 1], [4, 3], [8, 1], [0, 5]]) {
      expect(await patches(first, images, 0.75)).toEqual(all.slice(first * dim, (first + images) * dim));
      const found = await predictor.features(pixels.subarray(first * dim, (first + images) * dim));
      expect(found).toEqual(features.slice(first * config.embedDim, (first + images) * config.embedDim));
    }
    await predictor.dispose();
  });
} else Deno.test.ignore("predictions on webgpu", () => {});
