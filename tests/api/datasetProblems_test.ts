import { expect } from "expect";
import { pngDigit, tarGz } from "../setup/uploads.ts";
import { problemOf, TestApi } from "./fixtures.ts";

Deno.test("a built-in data set is temporarily unavailable when its mirrors cannot be reached", async () => {
  // Nothing listens on port 1.
  await using api = await TestApi.open({ datasets: { mirrors: { mnist: ["http://127.0.0.1:1/"] } } });
  await using without = await TestApi.open({ datasets: { mirrors: { mnist: [] } } });
  const { id: checkpoint } = await api.model();
  const body = { checkpoint, dataset: { id: "mnist", indices: [0] } };
  for (const route of ["reconstructions", "embeddings"]) {
    const response = await api.post(`/v1/${route}`, body);
    const { errors } = await problemOf(response, 503);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(errors).toEqual([{ path: "dataset", message: expect.stringContaining("127.0.0.1:1") }]);
  }
  const { id } = await without.model();
  const response = await without.post("/v1/embeddings", { ...body, checkpoint: id });
  const { errors } = await problemOf(response, 422);
  expect(errors).toEqual([{ path: "dataset", message: expect.stringContaining("no mirror is configured") }]);
  // The job is accepted, because its data set may be available when it runs.
  expect((await api.post("/v1/jobs", { kind: "pretrain", dataset: "mnist" })).status).toBe(201);
});

Deno.test("a request that uses a damaged data set is rejected by its field", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model();
  const png = await pngDigit(0);
  const archive = await tarGz({ "a/1.png": png, "b/1.png": png });
  const { id } = await (await api.upload({ archive }, { held_out: "0" })).json();
  const embed = () =>
    api.post("/v1/embeddings", { checkpoint, dataset: { id, split: "train", indices: [0] } });
  expect((await embed()).status).toBe(200);
  for await (const { key, size } of api.objects.list(`datasets/${id}/`)) {
    if (!key.endsWith("meta.json") && !key.endsWith("index.json")) {
      await api.objects.put(key, new Uint8Array(size));
    }
  }
  const { errors } = await problemOf(await embed(), 422);
  expect(errors.map(({ path }) => path)).toEqual(["dataset"]);
  for await (const { key } of api.objects.list(`datasets/${id}/`)) {
    if (!key.endsWith("meta.json")) await api.objects.delete(key);
  }
  const { errors: missing } = await problemOf(await embed(), 422);
  expect(missing).toEqual([{ path: "dataset", message: expect.stringContaining("no longer stored") }]);
  await api.objects.put(`datasets/${id}/meta.json`, new TextEncoder().encode("{"));
  const { errors: unread } = await problemOf(await embed(), 422);
  expect(unread.map(({ path }) => path)).toEqual(["dataset.id"]);
  const training = await api.post("/v1/jobs", { kind: "pretrain", dataset: id, batch_size: 1 });
  expect((await problemOf(training, 422)).errors).toMatchObject([{ path: "dataset" }]);
});
