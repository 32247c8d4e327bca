import { expect } from "expect";
import { checkedWeights } from "../checkedWeights.ts";
import { planExport } from "../../../model/formats/planExport.ts";
import { planImport } from "../../../model/formats/planImport.ts";
import { parameterSpecs } from "../../../model/weights.ts";
import {
  converted,
  exported,
  fileIn,
  hasReference,
  largestDifference,
  readFolder,
  requestOf,
  SMALL,
} from "./files.ts";

const ignore = !hasReference("hf_vitmae");

Deno.test("an MAE of transformers is imported with its configuration and tensors", { ignore }, async () => {
  const file = await readFolder("hf_vitmae");
  const plan = await planImport(requestOf(file));
  expect(plan.format).toBe("huggingface");
  expect(plan.architecture).toEqual({ model: "mae" });
  expect(plan.config).toMatchObject({
    imageSize: 32,
    patchSize: 8,
    inChannels: 3,
    embedDim: 48,
    depth: 2,
    numHeads: 3,
    mlpRatio: 2,
    decoderEmbedDim: 32,
    decoderDepth: 1,
    decoderNumHeads: 2,
    decoderMlpRatio: 2,
    layerNormEps: 1e-12,
    maskRatio: 0.75,
    normPixLoss: false,
    clsToken: true,
    positions: "sincos_2d",
    pool: "mean",
  });
  expect(plan.missing).toEqual(["head"]);
  const ours = converted(plan, file.weights);
  expect([...ours].map(([name, { shape }]) => [name, shape])).toEqual(
    parameterSpecs(plan.config, plan.architecture).map(({ name, shape }) => [name, shape]),
  );
  checkedWeights(ours, plan.config, plan.architecture);
});

for (const name of ["hf_vitmae", "hf_vitmae_norm_pix"]) {
  Deno.test(`${name} is exported with the published names and the same tensors`, { ignore }, async () => {
    const file = await readFolder(name), plan = await planImport(requestOf(file));
    const published = new Map(
      [...file.weights].map((
        [name, tensor],
      ) => [name.replace("decoder_encoder.layer", "decoder_layers"), tensor]),
    );
    const request = { ...plan, format: "huggingface" } as const;
    expect(largestDifference(exported(request, converted(plan, file.weights)), published)).toBeLessThan(1e-6);
    const { configJson } = planExport(request);
    const { transformers_version: _, dtype: __, ...config } = file.config!;
    expect(configJson).toEqual(config);
  });
}

Deno.test("an encoder of transformers whose mask_ratio is 0 is imported", async () => {
  const file = fileIn("huggingface", { model: "encoder" });
  const plan = await planImport(requestOf({ ...file, config: { ...file.config, mask_ratio: 0 } }));
  expect([plan.architecture.model, plan.config.maskRatio]).toEqual(["encoder", 0.75]);
});

Deno.test("the names of classes and the pooling of transformers are kept", async () => {
  const file = fileIn("huggingface", { model: "classifier", classes: 3 }, { ...SMALL, pool: "cls" });
  const named = { ...file, config: { ...file.config, id2label: { 0: "cat", 1: "dog", 2: "owl" } } };
  const plan = await planImport(requestOf(named));
  expect([plan.classNames, plan.config.pool, plan.missing]).toEqual([["cat", "dog", "owl"], "cls", [
    "decoder",
  ]]);
  expect((await planImport(requestOf(file))).classNames).toBe(null);
  const { configJson } = planExport({ ...plan, format: "huggingface" });
  expect(configJson).toMatchObject({ id2label: { 0: "cat", 2: "owl" }, label2id: { cat: 0, dog: 1 } });
});

Deno.test("pixels are normalised as in preprocessor_config.json, for any range of its inputs", async () => {
  const file = fileIn("huggingface");
  const normalizeOf = async (preprocessor: Record<string, unknown>) =>
    (await planImport(requestOf({ ...file, preprocessor }))).config.normalize;
  const mean = [0.1, 0.2, 0.3], std = [0.4, 0.5, 0.6];
  expect(await normalizeOf({ image_mean: mean, image_std: std })).toEqual({ mean, std });
  expect(await normalizeOf({ do_normalize: false })).toBe(null);
  const bytes = { image_mean: [51, 102, 153], image_std: [51, 51, 51], do_rescale: false };
  expect(await normalizeOf(bytes)).toEqual({ mean: [0.2, 0.4, 0.6], std: [0.2, 0.2, 0.2] });
});

Deno.test("two classes with the same name stay two, and both are in an export", async () => {
  const file = fileIn("huggingface", { model: "classifier", classes: 3 }, { ...SMALL, pool: "cls" });
  const id2label = { 0: "crane", 1: "dog", 2: "crane" };
  const plan = await planImport(requestOf({ ...file, config: { ...file.config, id2label } }));
  expect(plan.classNames).toEqual(["crane", "dog", "crane"]);
  expect(planExport({ ...plan, format: "huggingface" }).configJson).toMatchObject({ id2label });
});

Deno.test("a note reports that the probabilities of a classifier of several labels are a softmax", async () => {
  const file = fileIn("huggingface", { model: "classifier", classes: 3 }, { ...SMALL, pool: "cls" });
  const notesWith = async (problem_type: string) =>
    (await planImport(requestOf({ ...file, config: { ...file.config, problem_type } }))).notes.join();
  expect(await notesWith("multi_label_classification")).toMatch(
    /problem_type "multi_label_classification" is not/,
  );
  expect(await notesWith("single_label_classification")).not.toMatch(/problem_type/);
});
