import { expect } from "expect";
import { completeConfig, type MaeConfig } from "../../model/config.ts";
import type { Architecture } from "../../model/weights.ts";
import { importModel } from "../jobs/importedModel.ts";
import { problemOf, TestApi, type TestLimits, TINY } from "./fixtures.ts";
import { TestRunner } from "./runner.ts";

const MAE: Architecture = { model: "mae" }, ENCODER: Architecture = { model: "encoder" };
const DATASET = { id: "digits", size: 20 };
const BATCH = { dataset: DATASET, batch_size: 10 };
/** A model as an import has it: a class token, and positions that are in its file. */
const IMPORTED: MaeConfig = completeConfig({
  ...TINY,
  clsToken: true,
  positions: "stored",
  inChannels: 3,
  normalize: { mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] },
  layerNormEps: 1e-6,
});

async function rejected(api: TestApi, body: object): Promise<{ path: string; message: string }> {
  const { errors } = await problemOf(await api.post("/v1/jobs", body), 422);
  expect(errors.length).toBe(1);
  return errors[0];
}

/** Creates a job. @returns the model in its request */
async function modelOf(api: TestApi, body: object): Promise<Record<string, unknown>> {
  const response = await api.post("/v1/jobs", body), text = await response.text();
  expect({ status: response.status, text: text.slice(0, 300) }).toMatchObject({ status: 201 });
  const { request } = JSON.parse(text);
  expect(request).not.toHaveProperty("changes");
  expect(request).not.toHaveProperty("job");
  return request.model;
}

Deno.test("the request of a job that starts from a checkpoint shows the whole configuration", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint, jobId: job } = await api.model("mae");
  const same = { image_size: 28, embed_dim: 16, depth: 1, positions: "sincos_1d", mask_ratio: 0.75 };
  for (const kind of ["pretrain", "finetune", "linear_probe"]) {
    const fields = { decoder_depth: 1, cls_token: false, mlp_ratio: 2, ...same };
    expect(await modelOf(api, { kind, checkpoint, ...BATCH })).toMatchObject(fields);
    expect(await modelOf(api, { kind, job, ...BATCH, model: { image_size: 42, in_channels: 3 } }))
      .toMatchObject({
        ...fields,
        image_size: 42,
        in_channels: 3,
        positions: "stored",
      });
  }
  expect(await modelOf(api, { kind: "pretrain", checkpoint, ...BATCH, model: same })).toMatchObject(same);
  const masks = { mask_ratio: 0.5, masking: "grid", norm_pix_loss: true };
  expect(await modelOf(api, { kind: "pretrain", checkpoint, ...BATCH, model: masks })).toMatchObject(masks);
  expect(
    await modelOf(api, { kind: "finetune", checkpoint, ...BATCH, model: { fc_norm: true, drop_path: 0.1 } }),
  )
    .toMatchObject({ fc_norm: true, drop_path: 0.1 });
});

Deno.test("what a checkpoint contains decides what may start from it", async () => {
  await using api = await TestApi.open();
  const stored = async (architecture: Architecture, names: string[] = []) =>
    (await importModel(api.jobs, api.objects, IMPORTED, architecture, names)).id;
  const encoder = await stored(ENCODER),
    classifier = await stored({ model: "classifier", classes: 2 }, ["a", "b"]);
  for (const kind of ["pretrain", "finetune", "linear_probe"]) {
    expect(await modelOf(api, { kind, checkpoint: encoder, ...BATCH })).toMatchObject({
      positions: "stored",
    });
  }
  const decoder = { decoder_embed_dim: 12, decoder_depth: 2, decoder_num_heads: 3, decoder_mlp_ratio: 4 };
  expect(await modelOf(api, { kind: "pretrain", checkpoint: encoder, ...BATCH, model: decoder }))
    .toMatchObject(decoder);
  expect(
    await rejected(api, { kind: "pretrain", checkpoint: encoder, ...BATCH, model: { decoder_num_heads: 3 } }),
  )
    .toMatchObject({ path: "model.decoder_num_heads" });
  expect(await rejected(api, { kind: "evaluate", checkpoint: encoder, dataset: DATASET })).toMatchObject({
    path: "checkpoint",
    message: expect.stringMatching(/masked autoencoder, or of a classifier: .* is of an encoder/),
  });
  expect(await modelOf(api, { kind: "finetune", checkpoint: classifier, ...BATCH })).toMatchObject({
    depth: 1,
  });
  for (const kind of ["pretrain", "linear_probe"]) {
    expect(await rejected(api, { kind, checkpoint: classifier, ...BATCH })).toMatchObject({
      path: "checkpoint",
    });
  }
});

Deno.test("memory, space and images are checked for the changed configuration", async () => {
  const check = async (limits: TestLimits, path: string, message: RegExp) => {
    await using api = await TestApi.open(limits);
    const { id: checkpoint } = await api.model("mae");
    const body = { kind: "finetune", checkpoint, ...BATCH };
    await modelOf(api, body);
    expect(await rejected(api, { ...body, model: { image_size: 224, in_channels: 3 } })).toEqual({
      path,
      message: expect.stringMatching(message),
    });
  };
  await check({ trainingBytes: 8 * 2 ** 20 }, "batch_size", /UNMASK_MAX_TRAINING_BYTES/);
  await check({ checkpointBytes: 50_000 }, "checkpoint", /UNMASK_MAX_CHECKPOINT_BYTES/);
  await check({ datasets: { maxSplitBytes: 2000 * 28 * 28 } }, "dataset", /224 x 224 x 3/);
});

Deno.test("an imported checkpoint cannot be deleted while a job starts from it", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await importModel(api.jobs, api.objects, IMPORTED, MAE);
  const { id } = await (await api.post("/v1/jobs", { kind: "pretrain", checkpoint, ...BATCH })).json();
  const remove = () => api.send(`/v1/checkpoints/${checkpoint}`, { method: "DELETE" });
  await problemOf(await remove(), 409);
  await api.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
  expect((await remove()).status).toBe(204);
});

Deno.test("an imported model is pre-trained, fine-tuned and probed with other images, and then used", async () => {
  await using api = await TestApi.open();
  await using runner = new TestRunner(api);
  const { id: imported } = await importModel(api.jobs, api.objects, IMPORTED, MAE);
  const grey = { in_channels: 1, image_size: 42 };
  const logs = async (id: string) =>
    (await (await api.send(`/v1/jobs/${id}/events?limit=100`)).json()).data
      .map(({ message }: { message: string }) => message);
  const pretrained = await runner.run({ kind: "pretrain", checkpoint: imported, ...BATCH, model: grey });
  expect(pretrained).toMatchObject({ status: "succeeded", error: null });
  expect(await logs(pretrained.id)).toEqual(expect.arrayContaining([
    "The positions are interpolated from 4 x 4 to 6 x 6 patches",
    "The patch embedding is converted from 3 to 1 channels",
  ]));
  const checkpoint = pretrained.latest_checkpoint;
  for (const kind of ["finetune", "linear_probe"]) {
    for (const model of [{ image_size: 28, pool: "cls" }, { fc_norm: true }]) {
      const job = await runner.run({ kind, checkpoint, ...BATCH, model });
      expect(job).toMatchObject({
        status: "succeeded",
        error: null,
        result: { test_accuracy: expect.any(Number) },
      });
      const measured = await runner.run({
        kind: "evaluate",
        checkpoint: job.latest_checkpoint,
        dataset: DATASET,
      });
      expect(measured.result).toMatchObject({ accuracy: job.result!.test_accuracy });
      const images = { checkpoint: job.latest_checkpoint, dataset: { id: "digits", indices: [0] } };
      expect((await api.post("/v1/classifications", images)).status).toBe(200);
    }
  }
  const images = { checkpoint, dataset: { id: "digits", indices: [0] } };
  expect((await api.post("/v1/reconstructions", images)).status).toBe(200);
});

Deno.test("an imported encoder is pre-trained with a new decoder", async () => {
  await using api = await TestApi.open();
  await using runner = new TestRunner(api);
  const { id: checkpoint } = await importModel(api.jobs, api.objects, IMPORTED, ENCODER);
  for (
    const model of [{ decoder_embed_dim: 12, decoder_num_heads: 3 }, { image_size: 42, norm_pix_loss: true }]
  ) {
    const job = await runner.run({ kind: "pretrain", checkpoint, ...BATCH, model });
    expect(job).toMatchObject({ status: "succeeded", error: null, request: { model } });
    const measured = await runner.run({
      kind: "evaluate",
      checkpoint: job.latest_checkpoint,
      dataset: DATASET,
    });
    expect(measured.result).toMatchObject({ loss: expect.any(Number) });
  }
});

Deno.test("a fine-tuned classifier keeps its head for the same classes, and gets a new one for others", async () => {
  await using api = await TestApi.open();
  const same = await api.model("classifier", undefined, [..."9876543210", "other"]);
  const others = await api.model("classifier", undefined, ["a", "b", "c"]);
  await using runner = new TestRunner(api);
  const messages = async (checkpoint: string) => {
    const { id, status } = await runner.run({ kind: "finetune", checkpoint, ...BATCH });
    expect(status).toBe("succeeded");
    const { data } = await (await api.send(`/v1/jobs/${id}/events?limit=100`)).json();
    return data.map(({ message }: { message: string }) => message);
  };
  expect(await messages(same.id)).toContainEqual(expect.stringMatching(/head is that of the checkpoint/));
  expect(await messages(others.id)).toContainEqual(expect.stringMatching(/head is new/));
});
