import { expect } from "expect";
import { pngDigit, tarGz } from "../setup/uploads.ts";
import { problemOf, TestApi, TINY } from "./fixtures.ts";
import { TestRunner } from "./runner.ts";

const MODEL = {
  patch_size: TINY.patchSize,
  embed_dim: TINY.embedDim,
  depth: 1,
  num_heads: 2,
  decoder_embed_dim: 8,
  decoder_depth: 1,
  decoder_num_heads: 2,
};
/** A request with two steps in each epoch. */
const SMALL = { kind: "pretrain", model: MODEL, dataset: { id: "digits", size: 40 }, batch_size: 20 };

async function rejected(api: TestApi, body: object): Promise<{ path: string; message: string }> {
  const { errors } = await problemOf(await api.post("/v1/jobs", body), 422);
  expect(errors.length).toBe(1);
  return errors[0];
}

Deno.test("max_steps without epochs sets the number of epochs", async () => {
  await using api = await TestApi.open();
  await using runner = new TestRunner(api);
  for (const [max_steps, epochs] of [[7, 4], [1, 1], [8, 4]]) {
    const job = await runner.run({ ...SMALL, max_steps });
    expect(job).toMatchObject({ status: "succeeded", result: { steps: max_steps } });
    expect(job.request).toMatchObject({ max_steps, epochs });
    expect(await runner.warnings(job.id)).toEqual([]);
  }
  expect((await runner.run(SMALL)).request).toMatchObject({ epochs: 1 });
});

Deno.test("a run ends at the first limit of max_steps and epochs, and an event reports remaining steps", async () => {
  await using api = await TestApi.open();
  await using runner = new TestRunner(api);
  const short = await runner.run({ ...SMALL, max_steps: 200, epochs: 1 });
  expect(short).toMatchObject({ status: "succeeded", result: { steps: 2 } });
  expect(await runner.warnings(short.id)).toEqual([expect.stringMatching(/ends after 2 steps, not 200/)]);
  const long = await runner.run({ ...SMALL, max_steps: 3, epochs: 5 });
  expect(long).toMatchObject({ status: "succeeded", result: { steps: 3 } });
  expect(await runner.warnings(long.id)).toEqual([]);
});

Deno.test("a field that does not fit the length of the run is rejected by name", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model("mae");
  const warmup = await rejected(api, { ...SMALL, epochs: 3, warmup_epochs: 3, max_steps: 2 });
  expect(warmup).toMatchObject({ path: "warmup_epochs", message: expect.stringMatching(/6 steps.* 2$/) });
  expect(await rejected(api, { ...SMALL, warmup_epochs: 2, max_steps: 3 })).toMatchObject({
    path: "warmup_epochs",
  });
  expect(await rejected(api, { ...SMALL, max_steps: 20_001 })).toMatchObject({
    path: "max_steps",
    message: expect.stringContaining("20000"),
  });
  expect(await rejected(api, { ...SMALL, min_lr: 1e-6 })).toMatchObject({
    path: "min_lr",
    message: expect.stringContaining("cosine"),
  });
  const tune = { kind: "finetune", dataset: "digits" };
  for (const field of ["mask_ratio", "decoder_embed_dim", "decoder_depth", "decoder_num_heads"]) {
    const body = { ...tune, model: { [field]: field === "mask_ratio" ? 0.5 : 1 } };
    expect(await rejected(api, body)).toMatchObject({ path: `model.${field}` });
  }
  expect(await rejected(api, { ...tune, kind: "linear_probe", model: { dropout: 0.1 } })).toMatchObject({
    path: "model.dropout",
  });
  for (const warmup_epochs of [0.5, 1]) {
    const fits = { ...tune, checkpoint, warmup_epochs, min_lr: 1e-4, schedule: "cosine" };
    expect((await api.post("/v1/jobs", fits)).status).toBe(201);
  }
});

Deno.test("a warning reports where a run differs from its request", async () => {
  await using api = await TestApi.open();
  await using runner = new TestRunner(api);
  const cases: [more: object, warning: RegExp][] = [
    [{ checkpoint_every: { steps: 3 } }, /checkpoint_every is 3 steps, and the run has 2/],
    [{ checkpoint_every: { epochs: 2 } }, /checkpoint_every is 4 steps, and the run has 2/],
    [{ batch_size: 64, drop_last: false }, /there are 40 training images/],
    [{ warmup_epochs: 0.1 }, /less than a step/],
  ];
  for (const [more, warning] of cases) {
    const job = await runner.run({ ...SMALL, ...more });
    expect(job.status).toBe("succeeded");
    expect(await runner.warnings(job.id)).toEqual([expect.stringMatching(warning)]);
  }
});

Deno.test("a classifier with a single class is rejected", async () => {
  await using api = await TestApi.open();
  const png = await pngDigit(0);
  const archive = await tarGz(
    Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`train/cat/${i}.png`, png])),
  );
  const { id: dataset } = await (await api.upload({ archive })).json();
  const { id: checkpoint } = await api.model("mae");
  for (const kind of ["finetune", "linear_probe"]) {
    const { path, message } = await rejected(api, { kind, checkpoint, dataset, batch_size: 4 });
    expect([path, message]).toEqual(["dataset", expect.stringMatching(/two classes.*'cat'/)]);
  }
  expect((await api.post("/v1/jobs", { ...SMALL, dataset, batch_size: 4 })).status).toBe(201);
});

Deno.test("a job whose images do not fit into memory is rejected when it is created", async () => {
  await using api = await TestApi.open();
  const model = { ...MODEL, image_size: 1024, patch_size: 128 };
  const large = { kind: "pretrain", model, dataset: { id: "digits", size: 100_000 }, batch_size: 1 };
  expect(await rejected(api, large)).toEqual({
    path: "dataset",
    message: expect.stringMatching(/97\.7 GiB.*100000 images of 1024 x 1024 x 1.*8\.0 GiB/),
  });
  expect((await api.post("/v1/jobs", { ...large, dataset: { id: "digits", size: 1000 } })).status).toBe(201);
});

Deno.test("a job is rejected when its held-out images alone do not fit into memory", async () => {
  await using api = await TestApi.open({ datasets: { maxSplitBytes: 1500 * 28 * 28 } });
  const { id: mae } = await api.model("mae");
  const source = { checkpoint: mae, dataset: { id: "digits", size: 100 }, batch_size: 10 };
  // The training images fit, the 2,000 held-out images do not.
  expect((await api.post("/v1/jobs", { ...source, kind: "evaluate", split: "train" })).status).toBe(201);
  for (const kind of ["finetune", "linear_probe", "evaluate"]) {
    expect(await rejected(api, { ...source, kind })).toMatchObject({
      path: "dataset",
      message: expect.stringContaining("2000 images"),
    });
  }
});

Deno.test("a job whose training step exceeds the memory limit of the service is rejected", async () => {
  await using api = await TestApi.open({ trainingBytes: 2 ** 20 });
  const { id: checkpoint } = await api.model("mae");
  for (const start of [{ kind: "pretrain" }, { kind: "finetune", checkpoint }]) {
    const body = { ...start, dataset: "digits", batch_size: 512 };
    expect(await rejected(api, body)).toEqual({
      path: "batch_size",
      message: expect.stringMatching(/GiB.*UNMASK_MAX_TRAINING_BYTES.*choose a smaller (batch_size|model)/),
    });
  }
});

Deno.test("a repeated Idempotency-Key returns the same job even if everything that it named is deleted", async () => {
  await using api = await TestApi.open();
  const png = await pngDigit(0);
  const archive = await tarGz({ "a/1.png": png, "b/1.png": png, "a/2.png": png, "b/2.png": png });
  const { id: dataset } = await (await api.upload({ archive }, { held_out: "0" })).json();
  const { id: checkpoint, jobId: job } = await api.model("mae");
  const bodies = [{ checkpoint }, { job }].map((source) => ({
    kind: "finetune",
    dataset,
    batch_size: 2,
    ...source,
  }));
  const send = (index: number) => api.post("/v1/jobs", bodies[index], { "idempotency-key": `key-${index}` });
  const ids: string[] = [];
  for (const index of bodies.keys()) {
    const { id } = await (await send(index)).json();
    ids.push(id);
    await api.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
  }
  expect((await api.send(`/v1/datasets/${dataset}`, { method: "DELETE" })).status).toBe(204);
  expect((await api.send(`/v1/jobs/${job}`, { method: "DELETE" })).status).toBe(204);
  for (const index of bodies.keys()) {
    const again = await send(index);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
    expect(await again.json()).toMatchObject({ id: ids[index], status: "cancelled" });
  }
});
