import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { layoutSafetensors, type TensorSpec } from "../../../data/safetensors/layout.ts";
import { readSafetensors, type Tensor } from "../../../data/safetensors/safetensors.ts";
import { readBytes } from "../../../data/bytes.ts";
import { DEFAULT_PREPROCESSING } from "../../../data/images/preprocessing.ts";
import { toWire } from "../../../data/wire.ts";
import { openWeights } from "../../../jobs/artifacts/importWeights.ts";
import { TINY_VIT, tinyWeights, weightsFile } from "../../api/importFiles.ts";

/** Imports a file of weights in a temporary folder. @returns the tensors of the stored file */
async function imported(content: Uint8Array): Promise<ReadonlyMap<string, Tensor>> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/w`, store = openStore({ url: `file:${folder}/objects` });
    await Deno.writeFile(path, content);
    const files = [{ name: "w", path, size: content.length }];
    await using opened = await openWeights({ files, indexText: null, configText: null });
    const target = { id: "ckpt_a", name: "a", filename: "w", url: null, rule: DEFAULT_PREPROCESSING };
    const { objectKey } = await opened.write(store, target);
    return readSafetensors(await readBytes((await store.get(objectKey)).body)).tensors;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a large tensor is read in parts, and the values of all parts are checked", async () => {
  const config = { ...TINY_VIT, embedDim: 36 };
  const { tensors } = tinyWeights("unmask", { model: "classifier", classes: 65_536 }, config);
  const data = Float64Array.from({ length: 65_536 * 36 }, (_, i) => i / 1000);
  tensors.set("head.weight", { dtype: "F64", shape: [65_536, 36], data });
  const metadata = { config: JSON.stringify(toWire(config)) };
  const stored = await imported(weightsFile(tensors, "w", metadata).content);
  const { data: values } = stored.get("head.weight")!;
  expect(values.length).toBe(data.length);
  expect((values as Float32Array).every((value, i) => value === Math.fround(data[i]))).toBe(true);
  data[2_100_000] = 1e300;
  await expect(imported(weightsFile(tensors, "w", metadata).content)).rejects.toThrow(
    "'head.weight' of 'w' must be finite: value 2100000 is Infinity in float32",
  );
});

Deno.test("a tensor that is too large for the memory is refused before it is read", async () => {
  const embedDim = 4096, patchSize = 256;
  const shapes: Record<string, number[]> = {
    "cls_token": [1, 1, embedDim],
    "pos_embed": [1, 5, embedDim],
    "patch_embed.proj.weight": [embedDim, 3, patchSize, patchSize],
    "patch_embed.proj.bias": [embedDim],
    "norm.weight": [embedDim],
    "norm.bias": [embedDim],
    "blocks.0.norm1.weight": [embedDim],
    "blocks.0.norm1.bias": [embedDim],
    "blocks.0.attn.qkv.weight": [3 * embedDim, embedDim],
    "blocks.0.attn.qkv.bias": [3 * embedDim],
    "blocks.0.attn.proj.weight": [embedDim, embedDim],
    "blocks.0.attn.proj.bias": [embedDim],
    "blocks.0.norm2.weight": [embedDim],
    "blocks.0.norm2.bias": [embedDim],
    "blocks.0.mlp.fc1.weight": [embedDim, embedDim],
    "blocks.0.mlp.fc1.bias": [embedDim],
    "blocks.0.mlp.fc2.weight": [embedDim, embedDim],
    "blocks.0.mlp.fc2.bias": [embedDim],
  };
  const specs = Object.entries(shapes).map(([name, shape]): TensorSpec => ({ name, dtype: "F32", shape }));
  const { header, size } = layoutSafetensors(specs);
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, header);
  await Deno.truncate(path, size); // The rest of the file is a hole, which takes no space.
  const files = [{ name: "w", path, size }];
  const weights = { files, indexText: null, configText: '{"num_heads": 32}' };
  await expect(openWeights(weights)).rejects.toThrow(
    "'patch_embed.proj.weight' has 805306368 values: a tensor must have at most 268435456",
  );
  await Deno.remove(path);
});
