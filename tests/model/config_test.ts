import { expect } from "expect";
import { checkConfig } from "../../model/checkConfig.ts";
import { completeConfig, type MaeConfig, numKeep, numPatches } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { parameterCount } from "../../model/weights.ts";

/** The 111,907,840 of facebookresearch/mae without its fixed position tables. */
const VIT_BASE_PARAMETERS = 111_907_840 - 197 * (768 + 512);
/** Parameters of timm's `vit_*_patch16_224` and `vit_huge_patch14_224`, without positions and heads. */
const ENCODER_PARAMETERS = {
  vit_tiny: 5_486_592,
  vit_small: 21_590_016,
  vit_base: 85_647_360,
  vit_large: 303_099_904,
  vit_huge: 630_435_840,
};
const invalid: [change: Partial<MaeConfig>, field: keyof MaeConfig, message: RegExp][] = [
  [{ clsToken: 1 as never }, "clsToken", /true or false.*1/],
  [{ positions: "learned" as never }, "positions", /one of sincos_1d, sincos_2d, stored.*learned/],
  [{ positions: "sincos_2d", embedDim: 66, numHeads: 2 }, "embedDim", /multiple of 4.*66/],
  [
    { positions: "sincos_2d", decoderEmbedDim: 30, decoderNumHeads: 2 },
    "decoderEmbedDim",
    /multiple of 4.*30/,
  ],
  [{ layerNormEps: 0 }, "layerNormEps", /above 0.*0/],
  [{ pool: "cls" }, "pool", /cls_token/],
  [{ pool: "max" as never }, "pool", /one of mean, cls/],
  [{ normPixLoss: true, patchSize: 1, inChannels: 1 }, "normPixLoss", /one value/],
  [{ masking: "half" as never }, "masking", /one of random, block, grid/],
  [{ dropPath: 1 }, "dropPath", /below 1/],
  [{ decoderMlpRatio: 0.01 }, "decoderMlpRatio", /no hidden unit/],
  [{ normalize: { mean: [0.5], std: [0] } }, "normalize", /every std above 0/],
  [{ normalize: { mean: [0.5, 0.5], std: [0.5] } }, "normalize", /one number for each channel/],
  [{ normalize: { mean: [0.5], std: [0.5] }, inChannels: 3 }, "normalize", /3 means/],
  [{ imageSize: 0 }, "imageSize", /0/],
  [{ imageSize: 1_000_000 }, "imageSize", /1000000/],
  [{ imageSize: 28.5 }, "imageSize", /28\.5/],
  [{ patchSize: 5 }, "patchSize", /divide/],
  [{ patchSize: 56 }, "patchSize", /56/],
  [{ inChannels: 2 }, "inChannels", /1.*3/],
  [{ embedDim: 62 }, "numHeads", /divide/],
  [{ numHeads: 0 }, "numHeads", /0/],
  [{ decoderNumHeads: 5 }, "decoderNumHeads", /divide/],
  [{ depth: 0 }, "depth", /0/],
  [{ depth: 1.5 }, "depth", /1\.5/],
  [{ decoderDepth: -1 }, "decoderDepth", /-1/],
  [{ mlpRatio: Number.NaN }, "mlpRatio", /NaN/],
  [{ mlpRatio: 0 }, "mlpRatio", /0/],
  [{ maskRatio: 0.99 }, "maskRatio", /keep/],
  [{ maskRatio: -0.1 }, "maskRatio", /-0\.1/],
  [{ maskRatio: 1 }, "maskRatio", /1/],
  [{ dropout: 1 }, "dropout", /below 1/],
  [{ dropout: Number.POSITIVE_INFINITY }, "dropout", /Infinity/],
];

Deno.test("checkConfig reports each invalid field and its valid range", () => {
  for (const [change, field, message] of invalid) {
    const issues = checkConfig({ ...PRESETS.mnist, ...change });
    expect({ change, fields: issues.map((issue) => issue.field) }).toEqual({
      change,
      fields: expect.arrayContaining([field]),
    });
    expect(issues.find((issue) => issue.field === field)!.message).toMatch(message);
  }
});

Deno.test("a stored configuration reads the default of a field that it lacks", () => {
  const { dropout, ...stored } = { ...PRESETS.vit_base, maskRatio: 0.5 };
  expect(dropout).toBe(0);
  expect(completeConfig(stored)).toEqual({ ...PRESETS.vit_base, maskRatio: 0.5 });
});

Deno.test("without a ratio of its own, the decoder's MLP has that of the encoder", () => {
  expect(completeConfig({ mlpRatio: 3 }).decoderMlpRatio).toBe(3);
  expect(completeConfig({ mlpRatio: 3, decoderMlpRatio: 4 }).decoderMlpRatio).toBe(4);
});

Deno.test("presets are valid and have the published number of parameters", () => {
  for (const [name, config] of Object.entries(PRESETS)) {
    expect([name, checkConfig(config)]).toEqual([name, []]);
  }
  expect(parameterCount(PRESETS.mnist, { model: "mae" })).toBe(154_896);
  expect(parameterCount(PRESETS.vit_base, { model: "mae" })).toBe(VIT_BASE_PARAMETERS);
  for (const [name, count] of Object.entries(ENCODER_PARAMETERS)) {
    const config = PRESETS[name as keyof typeof ENCODER_PARAMETERS];
    expect([name, parameterCount(config, { model: "encoder" })]).toEqual([name, count]);
  }
  expect(numPatches(PRESETS.vit_base)).toBe(196);
});

Deno.test("numKeep equals Python's int(N * (1 - ratio)), including its rounding errors", () => {
  const cases: [number, number, number][] = [
    [49, 0.75, 12],
    [196, 0.75, 49],
    [10, 0.9, 0], // 10 * (1 - 0.9) is 0.99…98 in binary
    [100, 0.9, 9],
    [10, 0.7, 3],
    [16, 0.5, 8],
    [1, 0, 1],
  ];
  for (const [patches, ratio, keep] of cases) {
    expect([patches, ratio, numKeep(patches, ratio)]).toEqual([patches, ratio, keep]);
  }
});
