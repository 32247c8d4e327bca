import { expect } from "expect";
import { completeConfig, type MaeConfig } from "../../model/config.ts";
import { patchify } from "../../model/patches.ts";
import { denormalizePatches, inputPatches, normalizePatches } from "../../model/normalize.ts";
import { patchErrors } from "../../model/patchErrors.ts";
import { uniform } from "../../model/random.ts";

const SMALL = { imageSize: 8, patchSize: 4, inChannels: 3 };
const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const pixels = uniform({ seed: 1, purpose: "test" }, 2 * 8 * 8 * 3);

/** Normalises the channels, and then each patch with the unbiased variance, in float64. */
function normalized(config: MaeConfig): Float32Array {
  const patches = Array.from(patchify(pixels, config)), dim = 48;
  const { mean, std } = config.normalize ?? { mean: [0, 0, 0], std: [1, 1, 1] };
  const values = patches.map((value, i) => (value - mean[i % 3]) / std[i % 3]);
  if (!config.normPixLoss) return Float32Array.from(values);
  return Float32Array.from(values, (value, i) => {
    const start = i - i % dim, patch = values.slice(start, start + dim);
    const centre = patch.reduce((a, b) => a + b) / dim;
    const variance = patch.reduce((sum, x) => sum + (x - centre) ** 2, 0) / (dim - 1);
    return (value - centre) / Math.sqrt(variance + 1e-6);
  });
}

for (
  const [title, fields] of [
    ["channels", { normalize: IMAGENET }],
    ["patches", { normPixLoss: true }],
    ["channels and patches", { normalize: IMAGENET, normPixLoss: true }],
  ] as const
) {
  Deno.test(`normalised ${title} are the target, and a perfect prediction is converted to the original's pixels`, () => {
    const config = completeConfig({ ...SMALL, ...fields }), target = inputPatches(pixels, config);
    if (config.normPixLoss) normalizePatches(target, 48);
    normalized(config).forEach((value, i) => expect(Math.abs(value - target[i])).toBeLessThan(1e-5));

    const converted = denormalizePatches(config, normalized(config), pixels);
    const original = patchify(pixels, config);
    converted.forEach((value, i) => expect(Math.abs(value - original[i])).toBeLessThan(1e-5));
    patchErrors(config, converted, pixels).forEach((error) => expect(error).toBeLessThan(1e-10));
  });
}

Deno.test("the prediction of a model without normalisation is pixels", () => {
  const config = completeConfig(SMALL);
  expect(denormalizePatches(config, pixels, pixels)).toBe(pixels);
});

Deno.test("a patch of one colour is converted to that colour when its deviation is predicted as 0", () => {
  const config = completeConfig({ ...SMALL, normPixLoss: true });
  const flat = new Float32Array(8 * 8 * 3).fill(0.25);
  const converted = denormalizePatches(config, new Float32Array(flat.length), flat);
  expect([...converted]).toEqual([...flat]);
});

Deno.test("the error of a patch is the mean of its squared differences", () => {
  const config = completeConfig(SMALL), original = patchify(pixels, config);
  const shifted = original.map((value, i) => value + Math.floor(i / 48) / 10);
  patchErrors(config, shifted, pixels).forEach((error, patch) =>
    expect(error).toBeCloseTo((patch / 10) ** 2, 5)
  );
});
