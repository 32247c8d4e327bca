import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import { imageDim, type MaeConfig, numPatches } from "../../model/config.ts";
import { maskBatch } from "../../model/mae.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { findVulkan } from "../setup/vulkan.ts";

/** Fields of published models. */
const PUBLISHED = {
  clsToken: true,
  positions: "sincos_2d",
  normPixLoss: true,
  fcNorm: true,
  layerNormEps: 1e-6,
} as const;

/** Widths that are not multiples of 8. Calls with few images run in the calling thread. */
const small: MaeConfig = {
  ...PRESETS.mnist,
  imageSize: 9,
  patchSize: 3,
  inChannels: 3,
  embedDim: 15,
  depth: 2,
  numHeads: 3,
  decoderEmbedDim: 10,
  decoderDepth: 1,
  decoderNumHeads: 2,
  maskRatio: 0.6,
};
/** A model whose images are computed by all threads together. */
const large: MaeConfig = {
  ...PRESETS.mnist,
  imageSize: 45,
  patchSize: 3,
  embedDim: 90,
  depth: 3,
  numHeads: 5,
  decoderEmbedDim: 66,
  decoderDepth: 2,
  decoderNumHeads: 3,
};
const MODELS = [
  { name: "small", config: small, images: 600 },
  { name: "large", config: large, images: 5 },
  {
    name: "small published",
    config: { ...small, embedDim: 12, decoderEmbedDim: 8, ...PUBLISHED },
    images: 300,
  },
  {
    name: "large published",
    config: { ...large, embedDim: 80, decoderEmbedDim: 36, ...PUBLISHED },
    images: 5,
  },
];
const OUTPUTS = ["patches", "features", "logits"] as const;
/** The backends that plan. */
const PLANNED = ["simd", ...(await findVulkan() ? ["webgpu"] : [])];

/** Weights of both an MAE and a classifier. */
function weightsOf(config: MaeConfig) {
  const mae = initialWeights(parameterSpecs(config, { model: "mae" }), 1);
  return new Map([...initialWeights(parameterSpecs(config, { model: "classifier", classes: 5 }), 2), ...mae]);
}

async function open(backend: string, config: MaeConfig, threads: number, vectorBits?: VectorBits) {
  const { planner } = await selectBackend(backend, { vectorBits });
  return openPredictor({ config, weights: weightsOf(config), threads }, planner);
}

/** Returns the output of each image. */
async function predict(
  predictor: Predictor,
  output: typeof OUTPUTS[number],
  pixels: Float32Array,
  first = 0,
  maskRatio = 0.6,
) {
  const { config } = predictor, images = pixels.length / imageDim(config), n = numPatches(config);
  const noise = uniform({ seed: 3, purpose: "noise" }, images * n, first * n);
  const values = output === "patches"
    ? await predictor.patches(maskBatch(config, pixels, noise, maskRatio))
    : await predictor[output](pixels);
  const size = values.length / images;
  return Array.from({ length: images }, (_, image) => values.subarray(image * size, (image + 1) * size));
}

const equalBits = (a: Float32Array, b: Float32Array) =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

for (const { name, config, images } of MODELS) {
  const dim = imageDim(config), pixels = uniform({ seed: 2, purpose: "images" }, images * dim);

  Deno.test(`predictions equal those of TensorFlow.js: ${name} model`, async () => {
    const few = pixels.subarray(0, 3 * dim), eager = await open("cpu", config, 1);
    const expected = new Map<string, Float32Array[]>();
    for (const output of OUTPUTS) expected.set(output, await predict(eager, output, few));
    await eager.dispose();
    // A software GPU takes long for the large model.
    for (const backend of config === small ? PLANNED : ["simd"]) {
      const planned = await open(backend, config, 2);
      expect(planned.note).toBe(null);
      for (const output of OUTPUTS) {
        const values = await predict(planned, output, few);
        expect(values.length).toBe(3);
        values.forEach((image, i) =>
          image.forEach((value, j) =>
            expect(Math.abs(value - expected.get(output)![i][j])).toBeLessThan(1e-5)
          )
        );
      }
      await planned.dispose();
    }
  });

  Deno.test(`the bits of an image do not depend on the other images, the threads or the vectors: ${name} model`, async () => {
    const reference = await open("simd", config, 1);
    for (const output of OUTPUTS) {
      const expected = await predict(reference, output, pixels);
      for (const [threads, vectorBits] of [[1, 128], [2, 128], [3, 128], [2, 256]] as const) {
        const predictor = await open("simd", config, threads, vectorBits);
        for (const [first, count] of [[0, images], [3, 2], [1, 1], [0, Math.ceil(images / 2)]]) {
          const part = pixels.subarray(first * dim, (first + count) * dim);
          const values = await predict(predictor, output, part, first);
          const wrong = values.flatMap((image, i) => equalBits(image, expected[first + i]) ? [] : [i]);
          expect({ output, threads, vectorBits, first, count, wrong }).toMatchObject({ wrong: [] });
        }
        await predictor.dispose();
      }
    }
    await reference.dispose();
  });
}

Deno.test("calls of two predictors that overlap give the results of calls one after another", async () => {
  const models = await Promise.all([small, large].map((config) => open("simd", config, 2)));
  const calls = () =>
    [0.5, 0.7].flatMap((maskRatio) =>
      models.flatMap((model) => {
        const pixels = uniform({ seed: 5, purpose: "images" }, 4 * imageDim(model.config));
        return OUTPUTS.map((output) => () => predict(model, output, pixels, 0, maskRatio));
      })
    );
  const overlapping = await Promise.all(calls().map((call) => call()));
  for (const [i, call] of calls().entries()) expect(await call()).toEqual(overlapping[i]);
  await Promise.all(models.map((model) => model.dispose()));
});

Deno.test("a predictor computes more mask ratios and batch sizes than it keeps plans for", async () => {
  const predictor = await open("simd", small, 2), dim = imageDim(small);
  const pixels = uniform({ seed: 2, purpose: "images" }, 40 * dim);
  const first = await predict(predictor, "patches", pixels.subarray(0, dim), 0, 0.5);
  for (let keep = 1; keep < 9; keep++) {
    for (let images = 1; images <= 40; images++) {
      await predict(predictor, "patches", pixels.subarray(0, images * dim), 0, 1 - keep / 9);
    }
  }
  expect(await predict(predictor, "patches", pixels.subarray(0, dim), 0, 0.5)).toEqual(first);
  await predictor.dispose();
});
