import { expect } from "expect";
import { readSafetensors, type Tensor, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import { toFloat32 } from "../../data/safetensors/toFloat32.ts";
import { selectBackend } from "../../model/backends/select.ts";
import type { WeightsFormat } from "../../model/formats/format.ts";
import { planImport } from "../../model/formats/planImport.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { HostTensor } from "../../model/weights.ts";
import { TestApi } from "../api/fixtures.ts";
import { run } from "../setup/command.ts";
import { findTorch } from "../setup/python.ts";
import { unzip } from "../setup/unzip.ts";
import { expectedTensors, EXPORT_CASES, type ExportCase, randomWeights } from "./exportCases.ts";

const shared = Deno.env.get("UNMASK_SHARED") ?? "../shared";
const script = new URL("./exported.py", import.meta.url).pathname;

/** Largest difference of an output, as a share of its largest value or of 1. */
const TOLERANCE = 1e-5;

/** What `exported.py` reports of a folder. */
interface Report {
  readonly loader: string;
  readonly loading: Readonly<Record<string, readonly string[]>>;
  readonly differences: Readonly<Record<string, number>>;
}

/** Imports a folder of Hugging Face, to export it again. */
async function imported(name: string): Promise<ExportCase | null> {
  const folder = `${shared}/reference/${name}`;
  let file: Uint8Array<ArrayBuffer>;
  try {
    file = await Deno.readFile(`${folder}/model.safetensors`);
  } catch {
    console.log(`Skipped: ${folder} does not exist (set UNMASK_SHARED)`);
    return null;
  }
  const { tensors, metadata } = readSafetensors(file);
  const read = (name: string): Promise<HostTensor> => {
    const tensor = tensors.get(name)!;
    return Promise.resolve({ shape: tensor.shape, data: toFloat32(tensor) });
  };
  const config = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
  const plan = await planImport({ tensors, config, metadata, read });
  const weights = new Map<string, HostTensor>();
  for (const { name, sources, convert } of plan.tensors) {
    weights.set(name, convert(await Promise.all(sources.map(read))));
  }
  const { architecture } = plan;
  return { title: name, config: plan.config, architecture, weights, format: "huggingface", loader: "vitmae" };
}

/** Downloads an export and unpacks it. */
async function writeExport(api: TestApi, id: string, format: WeightsFormat, folder: string): Promise<void> {
  const response = await api.send(`/v1/checkpoints/${id}/content?format=${format}`);
  const zip = new Uint8Array(await response.arrayBuffer());
  expect({ status: response.status, text: response.ok ? "" : new TextDecoder().decode(zip) }).toEqual({
    status: 200,
    text: "",
  });
  for (const [name, bytes] of Object.entries(await unzip(zip))) {
    await Deno.writeFile(`${folder}/${name}`, bytes);
  }
}

/** Exports a model through the API, and writes the files and our outputs into a folder. */
async function writeCase(api: TestApi, entry: ExportCase, folder: string): Promise<void> {
  const { config, architecture, weights = randomWeights(config, architecture), format, loader } = entry;
  const names = architecture.model === "classifier"
    ? Array.from({ length: architecture.classes }, (_, index) => `class ${index}`)
    : [];
  const { id } = await api.store({ config, model: architecture.model, weights, names });
  await writeExport(api, id, format, folder);
  const { planner } = await selectBackend("simd");
  const predictor = await openPredictor({ config, weights, threads: 2 }, planner);
  const tensors: Map<string, Tensor> = await expectedTensors(predictor, entry);
  await predictor.dispose();
  await Deno.writeFile(`${folder}/case.safetensors`, writeSafetensors(tensors, { loader }));
}

/** Runs Python without network and GPU. @returns its output */
async function runPython(python: string, args: readonly string[], cwd: string): Promise<string> {
  const env = { HF_HUB_OFFLINE: "1", CUDA_VISIBLE_DEVICES: "", TRANSFORMERS_VERBOSITY: "error" };
  const { code, output } = await run(python, args, { cwd, env });
  expect({ code, output: code === 0 ? "" : output.slice(-3000) }).toEqual({ code: 0, output: "" });
  return output;
}

/** Loads the folders. @returns a report of each */
async function load(python: string, folders: readonly string[]): Promise<Record<string, Report>> {
  const output = await runPython(python, [script, ...folders], Deno.cwd());
  return JSON.parse(output.split("\n").find((line) => line.startsWith("{"))!);
}

const python = await findTorch();

Deno.test({
  name: "transformers and timm load exports strictly and compute our numbers",
  ignore: python === null,
  async fn(t) {
    const published = await Promise.all(["hf_vitmae", "hf_vitmae_norm_pix"].map(imported));
    const cases = [...published.filter((entry) => entry !== null), ...EXPORT_CASES];
    await using api = await TestApi.open();
    const folders = await Promise.all(cases.map(() => Deno.makeTempDir()));
    try {
      for (const [index, entry] of cases.entries()) await writeCase(api, entry, folders[index]);
      const reports = await load(python!, folders);
      for (const [index, { title, format, loader }] of cases.entries()) {
        await t.step(`${title} as ${format}, loaded by ${loader}`, () => {
          const { loading, differences } = reports[folders[index]];
          expect(Object.fromEntries(Object.entries(loading).filter(([, items]) => items.length > 0))).toEqual(
            {},
          );
          expect(Object.keys(differences).length).toBeGreaterThan(0);
          const large = Object.entries(differences).filter(([, difference]) => !(difference <= TOLERANCE));
          expect(large).toEqual([]);
        });
      }
    } finally {
      for (const folder of folders) await Deno.remove(folder, { recursive: true });
    }
  },
});

/** A module with the name of Meta's, whose model has the size of the export. */
const MODELS_MAE = `
import json, sys
sys.path.append("${new URL(".", import.meta.url).pathname}")
from exported import MetaNames
def mae_vit_base_patch16(norm_pix_loss): return MetaNames(json.load(open("meta/config.json")))
`;

Deno.test({
  name: "the Python of docs/weights.md loads the exports of a model",
  ignore: python === null,
  async fn() {
    const document = await Deno.readTextFile(new URL("../../docs/weights.md", import.meta.url));
    const section = document.slice(document.indexOf("\n## Export"));
    const blocks = [...section.matchAll(/^```python\n(.*?)^```$/gms)].map(([, block]) => block);
    expect(blocks.length).toBe(4);
    await using api = await TestApi.open();
    const { config } = EXPORT_CASES[0];
    const { id, objectKey } = await api.store({ config });
    const folder = await Deno.makeTempDir();
    try {
      for (const format of ["huggingface", "meta", "timm"] as const) {
        await Deno.mkdir(`${folder}/${format}`);
        await writeExport(api, id, format, `${folder}/${format}`);
      }
      await Deno.writeFile(`${folder}/mae.safetensors`, await api.object(objectKey));
      await Deno.writeTextFile(`${folder}/models_mae.py`, MODELS_MAE);
      await Deno.writeTextFile(`${folder}/load.py`, blocks.join("\n"));
      await runPython(python!, ["load.py"], folder);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
