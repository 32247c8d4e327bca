import { expect } from "expect";
import { checkWeights } from "../../../model/checkWeights.ts";
import { planExport } from "../../../model/formats/planExport.ts";
import { planImport } from "../../../model/formats/planImport.ts";
import { parameterSpecs } from "../../../model/weights.ts";
import { converted, exported, hasReference, largestDifference, readFolder, requestOf } from "./files.ts";

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
  checkWeights(ours, plan.config, plan.architecture);
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
