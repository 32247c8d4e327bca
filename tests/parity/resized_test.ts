import { expect } from "expect";
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import { adaptConfig } from "../../model/adapt/adaptConfig.ts";
import { adaptWeights } from "../../model/adapt/adaptWeights.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { planImport } from "../../model/formats/planImport.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { collectTensors } from "../../model/weights.ts";
import { converted, requestOf } from "../model/formats/files.ts";
import { readLibraryModel } from "./libraryModels.ts";

const FIXTURES = new URL("../fixtures/", import.meta.url);

const { planner } = await selectBackend("simd");
const { tensors } = readSafetensors(await Deno.readFile(new URL("resized.safetensors", FIXTURES)));
const keys = [...tensors.keys()].filter((name) => name.endsWith(".images"))
  .map((name) => name.replace(/\.images$/, ""));

for (const key of keys) {
  const [, name, size, channels] = /^(.*)\.(\d+)x(\d)$/.exec(key)!;
  Deno.test(`an imported model has the outputs of transformers for other images: ${key}`, async () => {
    const file = await readLibraryModel(new URL(`libraries/${name}.safetensors`, FIXTURES));
    const plan = await planImport(requestOf(file)), { architecture } = plan;
    const changes = { imageSize: Number(size), inChannels: Number(channels) };
    const { config, issues } = adaptConfig({ config: plan.config, model: "encoder" }, "classifier", changes);
    expect(issues).toEqual([]);
    const source = { config: plan.config, architecture, weights: converted(plan, file.weights) };
    const weights = await collectTensors(adaptWeights(source, { config, architecture }, { seed: 0 }));
    const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
    for (const pool of ["cls", "mean"] as const) {
      const features = await predictor.features(tensors.get(`${key}.images`)!.data as Float32Array, pool);
      const expected = tensors.get(`${key}.${pool}`)!.data as Float32Array;
      const error = Math.max(...features.map((value, i) => Math.abs(value - expected[i])));
      expect({ pool, error, isClose: error < 1e-5 }).toMatchObject({ isClose: true });
    }
    await predictor.dispose();
  });
}

Deno.test("images of other sizes are tested with both kinds of positions, smaller, larger and grey", () => {
  expect(keys.length).toBe(6);
});
