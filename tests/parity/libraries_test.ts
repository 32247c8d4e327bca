import { expect } from "expect";
import { readdirSync } from "node:fs";
import { selectBackend } from "../../model/backends/select.ts";
import { FormatError, type ImportPlan, WEIGHTS_FORMATS } from "../../model/formats/format.ts";
import { publishedName } from "../../model/formats/huggingFaceNames.ts";
import { planExport } from "../../model/formats/planExport.ts";
import { planImport } from "../../model/formats/planImport.ts";
import type { HostWeights } from "../../model/weights.ts";
import { converted, exported, largestDifference, requestOf } from "../model/formats/files.ts";
import { type LibraryModel, ourOutputs, readLibraryModel } from "./libraryModels.ts";

const FIXTURES = new URL("../fixtures/libraries/", import.meta.url);
const NAMES = readdirSync(FIXTURES).map((file) => file.replace(".safetensors", "")).sort();

/** How far an output may be from that of a library. */
const TOLERANCE = 1e-5;

const { planner } = await selectBackend("simd");

async function importModel(name: string): Promise<{ model: LibraryModel; plan: ImportPlan }> {
  const model = await readLibraryModel(new URL(`${name}.safetensors`, FIXTURES));
  return { model, plan: await planImport(requestOf(model)) };
}

for (const name of NAMES) {
  Deno.test(`the imported model ${name} has the outputs of its library`, async () => {
    const { model, plan } = await importModel(name);
    expect(plan.format).toBe({ hf: "huggingface", timm: "timm", meta: "meta" }[name.split("_")[0]]);
    const ours = await ourOutputs(plan, model, planner);
    expect([...ours.keys()].sort()).toEqual([...model.outputs.keys()].sort());
    for (const [output, { data }] of model.outputs) {
      expect(ours.get(output)!.length).toBe(data.length);
      const difference = Math.max(...data.map((value, i) => Math.abs(value - ours.get(output)![i])));
      expect([output, difference < TOLERANCE]).toEqual([output, true]);
    }
  });

  Deno.test(`the imported model ${name} is exported in its format with the same tensors`, async () => {
    const { model, plan } = await importModel(name);
    const ours = exported(plan, converted(plan, model.weights));
    expect(largestDifference(ours, expectedExport(name, model.weights, ours))).toBeLessThan(1e-6);
  });

  Deno.test(`the model ${name} is the same after an export and an import in every format`, async () => {
    const { model, plan } = await importModel(name);
    const weights = converted(plan, model.weights);
    for (const format of WEIGHTS_FORMATS) {
      const request = { ...plan, format };
      let files;
      try {
        const { configJson: config, preprocessorJson: preprocessor } = planExport(request);
        files = { weights: exported(request, weights), config, preprocessor: preprocessor ?? undefined };
      } catch (error) {
        if (error instanceof FormatError) continue;
        throw error;
      }
      const again = await planImport(requestOf(files));
      const isHalf = format === "timm" && plan.architecture.model === "mae";
      const expected: ImportPlan = isHalf ? { ...plan, architecture: { model: "encoder" } } : plan;
      expect([again.format, again.architecture, again.classNames]).toEqual([
        format,
        expected.architecture,
        plan.classNames,
      ]);
      expect(encoderFields(again)).toEqual(encoderFields(expected));
      const kept = [...weights].filter(([name]) => !isHalf || !name.startsWith("decoder."));
      expect(largestDifference(converted(again, files.weights), new Map(kept))).toBe(0);
    }
  });
}

/** Returns the tensors that an export must have: those of the library, renamed where our names are older ones. */
function expectedExport(name: string, weights: HostWeights, ours: HostWeights): HostWeights {
  const expected = new Map(weights);
  if (name.startsWith("hf_")) {
    expected.clear();
    const isBare = [...ours.keys()].some((name) => name.startsWith("embeddings."));
    for (const [name, tensor] of weights) {
      if (name.startsWith("pooler.")) continue;
      const published = publishedName(name);
      expected.set(isBare ? published.replace(/^vit\./, "") : published, tensor);
    }
    for (const [name, tensor] of ours) { // Of a model without biases, ours are zeros.
      if (/\.(query|key|value)\.bias$/.test(name) && !expected.has(name)) {
        expect(tensor.data.every((value) => value === 0)).toBe(true);
        expected.set(name, tensor);
      }
    }
  }
  if (name === "timm_no_embed_class") expected.set("pos_embed", ours.get("pos_embed")!);
  return expected;
}

/** Returns the fields that every format keeps: all but those of the decoder for a model without one. */
function encoderFields({ config, architecture }: ImportPlan) {
  if (architecture.model === "mae") return config;
  const { decoderEmbedDim: _, decoderDepth: _1, decoderNumHeads: _2, decoderMlpRatio: _3, ...others } =
    config;
  const { maskRatio: _4, normPixLoss: _5, pool: _6, ...fields } = others;
  return architecture.model === "encoder" ? fields : { ...fields, pool: config.pool };
}
