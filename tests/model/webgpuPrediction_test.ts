import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { imageDim, numPatches } from "../../model/config.ts";
import { maskBatch } from "../../model/mae.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { withBufferLimit } from "../setup/bufferLimit.ts";
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

const batch = maskBatch(config, pixels, noise, 0.75);

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

  Deno.test("batches whose results are too large for a buffer are divided (webgpu)", async () => {
    const predictor = await open();
    const expected = [await predictor.patches(batch), await predictor.features(pixels)];
    await predictor.dispose();
    // The largest result of all images has more bytes, that of one image has fewer.
    const found = await withBufferLimit(2 ** 17, async () => {
      const predictor = await open();
      const found = [await predictor.patches(batch), await predictor.features(pixels)];
      await predictor.dispose();
      return found;
    });
    expect(found).toEqual(expected);
  });

  Deno.test("after a pass for which the device has no memory, smaller ones are computed (webgpu)", async () => {
    const predictor = await open(), { prototype } = GPUDevice, original = prototype.createBuffer;
    const first = await predictor.features(pixels.subarray(0, dim));
    prototype.createBuffer = function (descriptor) {
      const size = descriptor.label === "results" ? 2 ** 40 : descriptor.size;
      return original.call(this, { ...descriptor, size });
    };
    try {
      await expect(predictor.features(pixels)).rejects.toThrow(/WebGPU cannot run this model/);
    } finally {
      prototype.createBuffer = original;
    }
    const ofTwo = await predictor.features(pixels.subarray(0, 2 * dim));
    expect(ofTwo.slice(0, config.embedDim)).toEqual(first);
    expect((await predictor.features(pixels)).slice(0, 2 * config.embedDim)).toEqual(ofTwo);
    await predictor.dispose();
  });
} else Deno.test.ignore("predictions on webgpu", () => {});
