import { expect } from "expect";
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { planImport } from "../../model/formats/planImport.ts";
import { classAttention } from "../../model/prediction/classAttention.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { converted, hasReference, readFolder, requestOf } from "../model/formats/files.ts";
import { run } from "../setup/command.ts";
import { findTorch } from "../setup/python.ts";

const REFERENCE = "hf_vitmae";
const FOLDER = `${Deno.env.get("UNMASK_SHARED") ?? "../shared"}/reference/${REFERENCE}`;
const python = await findTorch();

Deno.test({
  name: "the attention of the class token is that of transformers",
  ignore: python === null || !hasReference(REFERENCE),
  async fn() {
    const out = await Deno.makeTempFile({ suffix: ".safetensors" });
    const { code, output } = await run(
      python!,
      [new URL("attention.py", import.meta.url).pathname, FOLDER, out],
      { cwd: Deno.cwd(), env: { HF_HUB_OFFLINE: "1", CUDA_VISIBLE_DEVICES: "" } },
    );
    expect({ code, output: code === 0 ? "" : output }).toEqual({ code: 0, output: "" });
    const expected = readSafetensors(await Deno.readFile(out)).tensors.get("attention")!;
    await Deno.remove(out);

    const file = await readFolder(REFERENCE), plan = await planImport(requestOf(file));
    // `pixel_values` are the input of the model, which the processor of transformers has normalised already.
    const config = { ...plan.config, normalize: null }, { imageSize, inChannels, numHeads } = config;
    const { tensors } = readSafetensors(await Deno.readFile(`${FOLDER}/io.safetensors`));
    const { data, shape: [images] } = tensors.get("pixel_values")!, area = imageSize ** 2;
    // From [image, channel, row, column] to [image, row, column, channel].
    const pixels = Float32Array.from({ length: data.length }, (_, i) => {
      const image = Math.floor(i / (inChannels * area)), pixel = Math.floor(i / inChannels) % area;
      return Number(data[(image * inChannels + i % inChannels) * area + pixel]);
    });
    const { planner } = await selectBackend("simd");
    const weights = converted(plan, file.weights);
    const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
    const attention = await classAttention(predictor, pixels);
    await predictor.dispose();
    expect(expected.shape).toEqual([images, numHeads, 16]);
    attention.forEach((value, i) => expect(Math.abs(value - Number(expected.data[i]))).toBeLessThan(1e-6));
  },
});
