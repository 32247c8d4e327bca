import { expect } from "expect";
import { readSafetensors, type Tensor } from "../../data/safetensors/safetensors.ts";
import { problemOf, TestApi } from "./fixtures.ts";
import { jsonFile, shards, TINY_VIT, tinyUpload, tinyWeights } from "./importFiles.ts";
import { toWire } from "../../data/wire.ts";
import { pngDigit } from "../setup/uploads.ts";

/** Expects an import to be created. @returns the checkpoint */
// deno-lint-ignore no-explicit-any -- JSON of the API
async function created(response: Response): Promise<any> {
  const body = await response.json();
  expect({ status: response.status, body }).toMatchObject({ status: 201 });
  expect(response.headers.get("location")).toBe(`/v1/checkpoints/${body.id}`);
  return body;
}

Deno.test("weights of Hugging Face become a checkpoint, which can be inspected, listed, downloaded and deleted", async () => {
  await using api = await TestApi.open();
  const before = await api.traces();
  const checkpoint = await created(await api.importWeights(tinyUpload(), { name: "mine" }));
  expect(checkpoint).toMatchObject({
    job_id: null,
    name: "mine",
    model: "mae",
    num_classes: 0,
    class_names: [],
    resumable: false,
    config: { image_size: 16, cls_token: true, positions: "sincos_2d", layer_norm_eps: 1e-6 },
    origin: { format: "huggingface", filename: "model.safetensors", url: null, missing: ["head"] },
    uses: {
      jobs: ["pretrain", "finetune", "linear_probe", "evaluate"],
      endpoints: ["/v1/reconstructions", "/v1/embeddings"],
    },
  });
  const path = `/v1/checkpoints/${checkpoint.id}`;
  expect(await (await api.send(path)).json()).toEqual(checkpoint);
  for (const query of ["", "?imported=true"]) {
    expect((await (await api.send(`/v1/checkpoints${query}`)).json()).data).toEqual([checkpoint]);
  }
  const { tensors, metadata } = readSafetensors(await api.object(`checkpoints/${checkpoint.id}.safetensors`));
  expect(JSON.parse(metadata.config)).toEqual(toWire(TINY_VIT));
  const own = tinyWeights("unmask").tensors;
  for (const [name, { data }] of own) expect({ name, data: tensors.get(name)?.data }).toEqual({ name, data });
  expect((await api.send(path, { method: "DELETE" })).status).toBe(204);
  await problemOf(await api.send(path), 404);
  expect(await api.traces()).toEqual(before);
});

Deno.test("an import can be applied to images: reconstructions, embeddings, classifications", async (t) => {
  await using api = await TestApi.open();
  const picture = (await pngDigit(1)).toBase64();
  const models = [
    [{ model: "mae" }, ["/v1/reconstructions", "/v1/embeddings"]],
    [{ model: "encoder" }, ["/v1/embeddings"]],
    [{ model: "classifier", classes: 3 }, ["/v1/classifications", "/v1/embeddings"]],
  ] as const;
  for (const [architecture, endpoints] of models) {
    await t.step(architecture.model, async () => {
      const { id, uses } = await created(
        await api.importWeights(tinyUpload(tinyWeights("unmask", architecture))),
      );
      expect(uses.endpoints).toEqual(endpoints);
      for (const endpoint of ["/v1/reconstructions", "/v1/classifications", "/v1/embeddings"]) {
        const response = await api.post(endpoint, { checkpoint: id, pictures: [picture] });
        expect({ endpoint, status: response.status }).toEqual({
          endpoint,
          status: (endpoints as readonly string[]).includes(endpoint) ? 200 : 422,
        });
        await response.body?.cancel();
      }
    });
  }
});

Deno.test("sharded weights are read with their index and without it, in any order", async () => {
  await using api = await TestApi.open();
  const { tensors, config } = tinyWeights(), { files, map } = shards(tensors);
  const configFile = jsonFile("config.json", config);
  const whole = await created(await api.importWeights(tinyUpload()));
  const index = jsonFile("model.safetensors.index.json", { metadata: { total_size: 1 }, weight_map: map });
  const indexed = await created(await api.importWeights({ weights: files, index, config: configFile }));
  const plain = await created(
    await api.importWeights({ weights: files.toReversed(), config: configFile }),
  );
  expect([indexed.sha256, plain.sha256]).toEqual([whole.sha256, whole.sha256]);
  expect(indexed.name).toBe("model");
});

Deno.test("F16, BF16 and F64 are converted to F32", async () => {
  await using api = await TestApi.open();
  const name = "decoder.decoder_norm.bias";
  const stored: Tensor[] = [
    { dtype: "F16", shape: [8], data: new Uint16Array(8).fill(0x3c00) },
    { dtype: "BF16", shape: [8], data: new Uint16Array(8).fill(0x3f80) },
    { dtype: "F64", shape: [8], data: new Float64Array(8).fill(1) },
  ];
  for (const tensor of stored) {
    const parts = tinyWeights();
    parts.tensors.set(name, tensor);
    const { id } = await created(await api.importWeights(tinyUpload(parts)));
    const { tensors } = readSafetensors(await api.object(`checkpoints/${id}.safetensors`));
    expect(tensors.get(name)!.data).toEqual(new Float32Array(8).fill(1));
  }
});

Deno.test("a repeated import with the same key returns the same checkpoint, another import is a conflict", async () => {
  await using api = await TestApi.open();
  const headers = { "idempotency-key": "k" };
  const first = await created(await api.importWeights(tinyUpload(), {}, headers));
  const repeated = await api.importWeights(tinyUpload(), {}, headers);
  expect(repeated.headers.get("idempotency-replayed")).toBe("true");
  expect((await created(repeated)).id).toBe(first.id);
  await problemOf(await api.importWeights(tinyUpload(), { name: "other" }, headers), 422);
  const concurrent = await Promise.all(
    [1, 2, 3].map(async () =>
      (await created(await api.importWeights(tinyUpload(), {}, { "idempotency-key": "c" }))).id
    ),
  );
  expect(new Set(concurrent).size).toBe(1);
  await api.send(`/v1/checkpoints/${first.id}`, { method: "DELETE" });
  expect((await created(await api.importWeights(tinyUpload(), {}, headers))).id).not.toBe(first.id);
});

Deno.test("a classifier without class names gets numbers for them, and a note reports it", async () => {
  await using api = await TestApi.open();
  const parts = tinyWeights("unmask", { model: "classifier", classes: 3 });
  const body = await created(await api.importWeights(tinyUpload(parts)));
  expect(body).toMatchObject({ model: "classifier", num_classes: 3, class_names: ["0", "1", "2"] });
  expect(body.origin.notes.join()).toMatch(/named 0 to 2/);
});

Deno.test("class names of the request replace those of the files", async () => {
  await using api = await TestApi.open();
  const parts = tinyWeights("unmask", { model: "classifier", classes: 3 });
  const names = ["b", "ç", "a"], headers = { "idempotency-key": "names" };
  const fields = { class_names: JSON.stringify(names) };
  const body = await created(await api.importWeights(tinyUpload(parts), fields, headers));
  expect(body).toMatchObject({ num_classes: 3, class_names: names });
  expect(body.origin.notes.join()).not.toMatch(/named 0 to 2/);
  expect(await (await api.send(`/v1/checkpoints/${body.id}`)).json()).toEqual(body);
  const others = { class_names: '["a","b","c"]' };
  await problemOf(await api.importWeights(tinyUpload(parts), others, headers), 422);
  const many = Array.from({ length: 2000 }, (_, i) => `the name of the class ${i}`);
  const large = tinyUpload(tinyWeights("unmask", { model: "classifier", classes: many.length }));
  const { id } = await created(await api.importWeights(large, { class_names: JSON.stringify(many) }));
  expect((await (await api.send(`/v1/checkpoints/${id}`)).json()).class_names).toEqual(many);
});

Deno.test("images are resized by the rule of preprocessor_config.json or of the request", async () => {
  await using api = await TestApi.open();
  const files: [preprocessor: Record<string, unknown>, resize: string][] = [
    [{ size: { height: 16, width: 16 } }, "squash"],
    [{ size: 16 }, "squash"],
    [{ size: { shortest_edge: 16 }, do_center_crop: true, crop_size: { height: 16, width: 16 } }, "crop"],
    [{}, "crop"],
  ];
  for (const [preprocessor, resize] of files) {
    const preprocessor_config = jsonFile("preprocessor_config.json", preprocessor);
    expect(await created(await api.importWeights({ ...tinyUpload(), preprocessor_config }))).toMatchObject({
      resize,
      background: "none",
    });
  }
  const timm = tinyWeights("timm", { model: "encoder" }, { ...TINY_VIT, layerNormEps: 1e-6 });
  const { pretrained_cfg } = timm.config as { pretrained_cfg: Record<string, unknown> };
  const padded = {
    ...timm,
    config: { ...timm.config, pretrained_cfg: { ...pretrained_cfg, crop_mode: "border" } },
  };
  const mean = { resize: "pad", background: "#7c7468" };
  expect(await created(await api.importWeights(tinyUpload(padded)))).toMatchObject(mean);
  const squashed = { resize: "squash", background: "none" };
  expect(await created(await api.importWeights(tinyUpload(padded), { resize: "squash" }))).toMatchObject(
    squashed,
  );
  const fields = { resize: "pad", background: "white" };
  expect(await created(await api.importWeights(tinyUpload(), fields))).toMatchObject(fields);
  await problemOf(await api.importWeights(tinyUpload(), { resize: "stretch" }), 422);
});

Deno.test("a model that is too large to be trained here is imported, and a note reports it", async () => {
  await using api = await TestApi.open({ trainingBytes: 1000 });
  const { origin } = await created(await api.importWeights(tinyUpload()));
  expect(origin.notes.join()).toMatch(/cannot? be trained|not trained here.*UNMASK_MAX_TRAINING_BYTES/);
});
