import { expect } from "expect";
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import { CONVERT_PICKLE } from "../../data/safetensors/otherFormats.ts";
import { run } from "../setup/command.ts";
import { findTorch } from "../setup/python.ts";

/** Where a pickle has its weights, as Python. Meta's, timm's and Lightning's have them beside others. */
const PICKLES = ["weights", '{"model": weights, "epoch": 3}', '{"state_dict": weights, "epoch": 3}'];

const python = await findTorch();

Deno.test({
  name: "the Python in the message about a pickle converts it",
  ignore: python === null,
  async fn() {
    const convert = CONVERT_PICKLE.slice(CONVERT_PICKLE.indexOf("import torch"));
    const script = [
      "import os, torch",
      "table = torch.arange(6.0).reshape(2, 3)",
      'weights = {"tied": table, "transposed": table.T}', // They share memory, which safetensors does not save.
      ...PICKLES.flatMap((pickle, i) => [
        `torch.save(${pickle}, "weights.pth")`,
        convert,
        `os.rename("model.safetensors", "${i}.safetensors")`,
      ]),
    ].join("\n");
    const folder = await Deno.makeTempDir();
    try {
      const { code, output } = await run(python!, ["-c", script], { cwd: folder });
      expect({ code, output: code === 0 ? "" : output.slice(-1000) }).toEqual({ code: 0, output: "" });
      for (const i of PICKLES.keys()) {
        const { tensors } = readSafetensors(await Deno.readFile(`${folder}/${i}.safetensors`));
        expect([...tensors.get("tied")!.data]).toEqual([0, 1, 2, 3, 4, 5]);
        expect([...tensors.get("transposed")!.data]).toEqual([0, 3, 1, 4, 2, 5]);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
