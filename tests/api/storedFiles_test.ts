import { expect } from "expect";
import { pngDigit } from "../setup/uploads.ts";
import { problemOf, TestApi } from "./fixtures.ts";
import { TestRunner } from "./runner.ts";

type Damage = (api: TestApi, key: string) => Promise<void>;
const DAMAGES: Record<string, Damage> = {
  "missing": (api, key) => api.objects.delete(key),
  "empty": async (api, key) => void await api.objects.put(key, new Uint8Array()),
  "truncated": async (api, key) => void await api.objects.put(key, (await api.object(key)).slice(0, -7)),
};

for (const [title, damage] of Object.entries(DAMAGES)) {
  Deno.test(`a request whose checkpoint file is ${title} is rejected by the field that names it`, async () => {
    await using api = await TestApi.open();
    const mae = await api.model(), classifier = await api.model("classifier");
    for (const { objectKey } of [mae, classifier]) await damage(api, objectKey);
    const pictures = [(await pngDigit(0)).toBase64()];
    const dataset = "digits";
    const requests: [path: string, body: object, field: string][] = [
      ["reconstructions", { checkpoint: mae.id, pictures }, "checkpoint"],
      ["embeddings", { checkpoint: mae.id, pictures }, "checkpoint"],
      ["classifications", { checkpoint: classifier.id, pictures }, "checkpoint"],
      ["jobs", { kind: "finetune", checkpoint: mae.id, dataset }, "checkpoint"],
      ["jobs", { kind: "linear_probe", checkpoint: mae.id, dataset }, "checkpoint"],
      ["jobs", { kind: "evaluate", checkpoint: classifier.id, dataset }, "checkpoint"],
      ["jobs", { kind: "evaluate", job: mae.jobId, dataset }, "job"],
    ];
    for (const [path, body, field] of requests) {
      const problem = await problemOf(await api.post(`/v1/${path}`, body), 409);
      expect(problem.errors.map((error) => error.path)).toEqual([field]);
      expect(problem.detail).toContain("Cannot read checkpoint");
      expect(problem.detail).not.toContain(".safetensors");
    }
    for (const init of [{}, { headers: { range: "bytes=0-9" } }, { method: "HEAD" }]) {
      const response = await api.send(`/v1/checkpoints/${mae.id}/content`, init);
      expect(response.status).toBe(title === "missing" ? 404 : 409);
      await response.body?.cancel();
    }
    expect(await (await api.send(`/v1/checkpoints/${classifier.id}`)).json()).toMatchObject({
      num_classes: 10,
    });
    const { status } = await api.send(`/v1/jobs/${mae.jobId}`, { method: "DELETE" });
    expect(status).toBe(204);
  });
}

Deno.test("a job fails with its checkpoint's id if the checkpoint file is lost after the job was created", async () => {
  await using api = await TestApi.open();
  const mae = await api.model();
  const id = await api.job({ kind: "finetune", checkpoint: mae.id });
  await api.objects.delete(mae.objectKey);
  await using _runner = new TestRunner(api);
  const job = await (await api.send(`/v1/jobs/${id}?wait=60`)).json();
  expect(job).toMatchObject({ status: "failed", error: { code: "checkpoint_unreadable" } });
  expect(job.error.message).toContain(mae.id);
});

Deno.test("metadata that is not JSON is reported as a damaged checkpoint, not as an internal error", async () => {
  await using api = await TestApi.open();
  // The replacement has the same length, so that the header's offsets stay valid.
  const spoilt = (field: string) => (file: Uint8Array<ArrayBuffer>) => {
    const text = new TextDecoder("latin1").decode(file);
    const offset = text.indexOf(`"${field}":"`) + field.length + 4;
    file[offset] = "!".charCodeAt(0);
    return file;
  };
  const mae = await api.model("mae", spoilt("config"));
  const pictures = [(await pngDigit(0)).toBase64()];
  const problem = await problemOf(
    await api.post("/v1/reconstructions", { checkpoint: mae.id, pictures }),
    409,
  );
  expect(problem.errors.map(({ path }) => path)).toEqual(["checkpoint"]);

  const names = Array.from({ length: 300 }, (_, i) => `a class with a long name, number ${i}`);
  const classifier = await api.model("classifier", spoilt("class_names"), names);
  const response = await api.post("/v1/classifications", { checkpoint: classifier.id, pictures });
  expect((await problemOf(response, 409)).errors.map(({ path }) => path)).toEqual(["checkpoint"]);
  const evaluation = { kind: "evaluate", checkpoint: classifier.id, dataset: "digits" };
  expect((await problemOf(await api.post("/v1/jobs", evaluation), 409)).errors[0].path).toBe("checkpoint");
  expect(await (await api.send(`/v1/checkpoints/${classifier.id}`)).json()).toMatchObject({
    num_classes: 300,
    class_names: null,
  });
});

Deno.test("a job whose checkpoints do not fit into storage is rejected, naming the field to change", async () => {
  await using api = await TestApi.open({ checkpointBytes: 10 * 2 ** 20 });
  const body = { kind: "pretrain", dataset: "digits", checkpoint_every: { steps: 1 } };
  const many = await problemOf(await api.post("/v1/jobs", { ...body, keep: { last: 50 } }), 422);
  expect(many.errors.map(({ path }) => path)).toEqual(["keep.last"]);
  expect(many.detail).toContain("UNMASK_MAX_CHECKPOINT_BYTES");
  const large = await problemOf(
    await api.post("/v1/jobs", { ...body, model: "vit_base", batch_size: 1 }),
    422,
  );
  expect(large.errors.map(({ path }) => path)).toContain("model");
  expect((await api.post("/v1/jobs", { ...body, keep: { last: 1 } })).status).toBe(201);
  for (const last of [0, 1001, 1.5, "2"]) {
    const { errors } = await problemOf(await api.post("/v1/jobs", { ...body, keep: { last } }), 422);
    expect(errors.map(({ path }) => path)).toEqual(["keep.last"]);
  }
});
