import { expect } from "expect";
import { adaptConfig, type ConfigChanges } from "../../../model/adapt/adaptConfig.ts";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { NORMALIZATIONS } from "../../../model/normalizations.ts";
import type { ModelName } from "../../../model/weights.ts";

const CONFIG = completeConfig({ inChannels: 3, normalize: NORMALIZATIONS.imagenet });

function adapted(
  changes: ConfigChanges,
  { to = "classifier", from = "mae", config = CONFIG }: {
    to?: "mae" | "classifier";
    from?: ModelName;
    config?: MaeConfig;
  } = {},
) {
  const { config: result, issues } = adaptConfig({ config, model: from }, to, changes);
  return issues.length > 0 ? issues.map(({ field }) => field) : result;
}

Deno.test("without changes, the configuration is that of the checkpoint", () => {
  expect(adapted({})).toEqual(CONFIG);
  expect(adapted({ embedDim: 64, positions: "sincos_1d", imageSize: 28 })).toEqual(CONFIG);
});

Deno.test("another image size makes the positions a stored table", () => {
  for (const positions of ["sincos_1d", "sincos_2d", "stored"] as const) {
    const config = { ...CONFIG, positions };
    expect(adapted({ imageSize: 32 }, { config })).toEqual({ ...config, imageSize: 32, positions: "stored" });
    expect(adapted({ imageSize: 28 }, { config })).toEqual(config);
  }
});

Deno.test("another number of channels has a normalisation with a value for each", () => {
  expect(adapted({ inChannels: 1 })).toMatchObject({
    normalize: { mean: [expect.closeTo(0.449, 3)], std: [expect.closeTo(0.226, 3)] },
  });
  const grey = { ...CONFIG, inChannels: 1, normalize: { mean: [0.1], std: [0.3] } };
  expect(adapted({ inChannels: 3 }, { config: grey })).toMatchObject({
    normalize: { mean: [0.1, 0.1, 0.1], std: [0.3, 0.3, 0.3] },
  });
  expect(adapted({ inChannels: 1, normalize: "half" })).toMatchObject({
    normalize: { mean: [0.5], std: [0.5] },
  });
  expect(adapted({ inChannels: 1, normalize: null })).toMatchObject({ normalize: null });
  expect(adapted({ inChannels: 1, normalize: "imagenet" })).toEqual(["normalize"]);
});

Deno.test("the fields that may change depend on the model to train and on what the checkpoint has", () => {
  const masking = { maskRatio: 0.5, masking: "grid", normPixLoss: true } as const;
  expect(adapted(masking, { to: "mae" })).toEqual({ ...CONFIG, ...masking });
  expect(adapted({ fcNorm: true })).toEqual({ ...CONFIG, fcNorm: true });
  expect(adapted({ fcNorm: true }, { to: "mae" })).toEqual(["fcNorm"]);
  const decoder = { decoderEmbedDim: 16, decoderDepth: 3, decoderNumHeads: 2, decoderMlpRatio: 4 };
  expect(adapted(decoder, { to: "mae", from: "encoder" })).toEqual({ ...CONFIG, ...decoder });
  expect(adapted(decoder, { to: "mae" })).toEqual(Object.keys(decoder));
  expect(adapted({ embedDim: 32, depth: 2, imageSize: 31 })).toEqual(["embedDim", "depth"]);
});

Deno.test("a classifier may have images of one patch, which leave a masked autoencoder nothing to mask", () => {
  expect(adapted({ imageSize: 4 })).toMatchObject({ imageSize: 4 });
  expect(adapted({ imageSize: 4 }, { to: "mae" })).toEqual(["maskRatio"]);
});
