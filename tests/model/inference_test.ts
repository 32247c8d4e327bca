import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { patchify, unpatchify } from "../../model/patches.ts";
import { classifyBatch, reconstruct } from "../../model/prediction/inference.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { type HostWeights, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { config, pixels, weights } from "./smallModel.ts";

async function open(weights: HostWeights) {
  const { planner } = await selectBackend("simd");
  return openPredictor({ config, weights, threads: 2 }, planner);
}

Deno.test("changing a masked patch changes no prediction", async () => {
  const model = await open(weights);
  const key = { seed: 4, maskRatio: 0.5 };
  const first = await reconstruct(model, pixels, key);
  const patches = patchify(pixels, config);
  const firstPatch = (maskValue: number) => first.mask.indexOf(maskValue);
  const changed = (patch: number) => {
    const copy = patches.slice();
    for (let i = 0; i < 48; i++) copy[patch * 48 + i] = 1 - copy[patch * 48 + i];
    return unpatchify(copy, config);
  };
  expect((await reconstruct(model, changed(firstPatch(1)), key)).pred).toEqual(first.pred);
  expect((await reconstruct(model, changed(firstPatch(0)), key)).pred).not.toEqual(first.pred);
  expect((await reconstruct(model, pixels, key)).losses).toEqual(first.losses);

  const expectedLosses = [0, 1].map((image) => {
    let total = 0;
    for (let p = image * 9; p < image * 9 + 9; p++) {
      if (first.mask[p] === 0) continue;
      for (let i = p * 48; i < p * 48 + 48; i++) total += (first.pred[i] - patches[i]) ** 2 / 48;
    }
    return total / 5;
  });
  expectedLosses.forEach((loss, image) => expect(first.losses[image]).toBeCloseTo(loss, 6));
  await model.dispose();
});

Deno.test("class probabilities add up to 1, and embeddings do not depend on the rest of the batch", async () => {
  const model = await open(initialWeights(parameterSpecs(config, { model: "classifier", classes: 4 }), 1));
  const { probabilities, predicted } = await classifyBatch(model, pixels);
  expect(await model.logitsOfFeatures(await model.features(pixels))).toEqual(await model.logits(pixels));
  for (let row = 0; row < 2; row++) {
    const distribution = [...probabilities.slice(row * 4, row * 4 + 4)];
    expect(distribution.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(distribution[predicted[row]]).toBe(Math.max(...distribution));
  }
  const both = await model.features(pixels);
  const second = await model.features(pixels.slice(432));
  second.forEach((value, i) => expect(value).toBeCloseTo(both[8 + i], 5));
  await model.dispose();
});
