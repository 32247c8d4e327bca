import { expect } from "expect";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { planImport } from "../../../model/formats/planImport.ts";
import type { Architecture } from "../../../model/weights.ts";
import { fileIn, requestOf, SMALL } from "./files.ts";

/** The width of timm's `test_vit`, which has two heads. */
const CONFIG: MaeConfig = completeConfig({ ...SMALL, embedDim: 64, numHeads: 2, pool: "cls" });
const MEAN = [0.1, 0.2, 0.3], STD = [0.4, 0.5, 0.6];

/** Imports a model with the `config.json` that a repository of timm has. */
async function importWith(config: Record<string, unknown>, architecture: Architecture) {
  return await planImport(requestOf({ ...fileIn("timm", architecture, CONFIG), config }));
}

Deno.test("a repository of timm gives the heads by its architecture, the pooling and the normalisation", async () => {
  const { format, architecture, config, notes } = await importWith({
    architecture: "test_vit",
    num_classes: 0,
    num_features: 64,
    global_pool: "token",
    pretrained_cfg: {
      tag: "mae",
      custom_load: false,
      input_size: [3, 8, 8],
      fixed_input_size: true,
      interpolation: "bicubic",
      crop_pct: 0.9,
      crop_mode: "center",
      mean: MEAN,
      std: STD,
      num_classes: 0,
      pool_size: null,
      first_conv: "patch_embed.proj",
      classifier: "head",
      license: "cc-by-nc-4.0",
    },
  }, { model: "encoder" });
  expect([format, architecture, notes]).toEqual(["timm", { model: "encoder" }, []]);
  expect(config).toMatchObject({ numHeads: 2, pool: "cls", normalize: { mean: MEAN, std: STD } });
});

Deno.test("the config.json of timm before version 0.9, with all fields at the top, is read", async () => {
  const classifier = { model: "classifier", classes: 3 } as const;
  const { config, classNames } = await importWith({
    architecture: "test_vit",
    num_classes: 3,
    mean: MEAN,
    std: STD,
    labels: ["ant", "bee", "cow"],
  }, classifier);
  expect([config.normalize, classNames]).toEqual([{ mean: MEAN, std: STD }, ["ant", "bee", "cow"]]);
});

Deno.test("timm's names of classes are a list or an object by number", async () => {
  const classifier = { model: "classifier", classes: 3 } as const;
  const namesOf = async (label_names: unknown) =>
    (await importWith({ architecture: "test_vit", num_classes: 3, label_names }, classifier)).classNames;
  expect(await namesOf(["crane", "dog", "crane"])).toEqual(["crane", "dog", "crane"]);
  expect(await namesOf({ 0: "cat", 1: "dog", 2: "owl" })).toEqual(["cat", "dog", "owl"]);
  expect(await namesOf(undefined)).toBe(null);
  for (const gap of [{ 0: "cat", 2: "dog", 3: "owl" }, ["cat", "dog", 3], "cat"]) {
    await expect(namesOf(gap)).rejects.toThrow(
      /label_names must be a list of names, or an object of names with the keys 0/,
    );
  }
});
