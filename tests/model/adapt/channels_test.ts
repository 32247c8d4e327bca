import { expect } from "expect";
import { embeddingFor, type LinearLayer, predictionFor } from "../../../model/adapt/channels.ts";
import { completeConfig, type MaeConfig, type Normalization, patchDim } from "../../../model/config.ts";
import { NORMALIZATIONS } from "../../../model/normalizations.ts";
import { uniform } from "../../../model/random.ts";

const GREY = completeConfig({ imageSize: 4, patchSize: 4, embedDim: 8, decoderEmbedDim: 6 });
const PIXELS = GREY.patchSize ** 2;
const HALF = { mean: [0.5], std: [0.25] };

const random = (purpose: string, length: number) => uniform({ seed: 1, purpose }, length);

function layer(out: number, dim: number): LinearLayer {
  return {
    weight: { shape: [out, dim], data: random("weight", out * dim) },
    bias: { shape: [out], data: random("bias", out) },
  };
}

function apply({ weight, bias }: LinearLayer, x: readonly number[]): number[] {
  return Array.from(
    bias.data,
    (value, row) => x.reduce((sum, input, i) => sum + input * weight.data[row * x.length + i], value),
  );
}

const rgb = (normalize: Normalization | null) => ({ ...GREY, inChannels: 3, normalize });
const grey = (normalize: Normalization | null) => ({ ...GREY, normalize });

/** Normalises the pixels of a patch, in the order (p1 p2 c). */
function normalized(pixels: readonly number[], { normalize, inChannels }: MaeConfig): number[] {
  const { mean, std } = normalize ?? { mean: [0, 0, 0], std: [1, 1, 1] };
  return pixels.map((value, i) => (value - mean[i % inChannels]) / std[i % inChannels]);
}

/** Reverts {@linkcode normalized}. */
function pixelsOf(values: readonly number[], { normalize, inChannels }: MaeConfig): number[] {
  const { mean, std } = normalize ?? { mean: [0, 0, 0], std: [1, 1, 1] };
  return values.map((value, i) => value * std[i % inChannels] + mean[i % inChannels]);
}

const image = [...random("image", PIXELS)];
const threeTimes = image.flatMap((value) => [value, value, value]);
const imagenet = NORMALIZATIONS.imagenet;

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries()) expect(value).toBeCloseTo(expected[i], 4);
}

Deno.test("a grey picture has the features that the RGB model has for three equal channels", () => {
  for (const before of [null, imagenet]) {
    for (const after of [null, HALF]) {
      const from = rgb(before), to = grey(after);
      const embedding = layer(GREY.embedDim, patchDim(from));
      const expected = apply(embedding, normalized(threeTimes, from));
      const adapted = embeddingFor(embedding, from, to);
      expect(adapted.weight.shape).toEqual([GREY.embedDim, PIXELS]);
      expectClose(apply(adapted, normalized(image, to)), expected);
    }
  }
});

Deno.test("three channels have a third of a grey model's weight each, and grey pictures their features", () => {
  for (const [before, after] of [[null, null], [HALF, imagenet]]) {
    const from = grey(before), to = rgb(after);
    const embedding = layer(GREY.embedDim, PIXELS), adapted = embeddingFor(embedding, from, to);
    expectClose(
      apply(adapted, normalized(threeTimes, to)),
      apply(embedding, normalized(image, from)),
    );
    if (before === null) expect(adapted.weight.data[1]).toBeCloseTo(embedding.weight.data[0] / 3, 6);
  }
});

Deno.test("another normalisation leaves the features as they are", () => {
  const from = rgb(imagenet), to = rgb(NORMALIZATIONS.half), pixels = [...random("rgb", 3 * PIXELS)];
  const embedding = layer(GREY.embedDim, 3 * PIXELS), adapted = embeddingFor(embedding, from, to);
  expectClose(apply(adapted, normalized(pixels, to)), apply(embedding, normalized(pixels, from)));
});

Deno.test("an adapted decoder predicts the same pixels, or the mean of three channels", () => {
  const latent = [...random("latent", GREY.decoderEmbedDim)];
  for (const [from, to] of [[rgb(imagenet), grey(HALF)], [grey(null), rgb(imagenet)]]) {
    const prediction = layer(patchDim(from), GREY.decoderEmbedDim);
    const before = pixelsOf(apply(prediction, latent), from);
    const after = pixelsOf(apply(predictionFor(prediction, from, to), latent), to);
    const mean = (p: number) => (before[3 * p] + before[3 * p + 1] + before[3 * p + 2]) / 3;
    const expected = to.inChannels === 1
      ? image.map((_, p) => mean(p))
      : before.flatMap((value) => [value, value, value]);
    expectClose(after, expected);
  }
});

Deno.test("a prediction of normalised patches is not rescaled", () => {
  const from = { ...rgb(imagenet), normPixLoss: true }, to = { ...grey(HALF), normPixLoss: true };
  const prediction = layer(3 * PIXELS, GREY.decoderEmbedDim), latent = [...random("latent", 6)];
  const before = apply(prediction, latent), after = apply(predictionFor(prediction, from, to), latent);
  expectClose(after, image.map((_, p) => (before[3 * p] + before[3 * p + 1] + before[3 * p + 2]) / 3));
});
