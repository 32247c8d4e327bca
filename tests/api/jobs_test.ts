import { expect } from "expect";
import { JobQueue } from "../../jobs/queue.ts";
import { TestApi } from "./fixtures.ts";

const pretrain = { kind: "pretrain", dataset: "digits" };

Deno.test("a job is created with every default, and found again", async () => {
  await using api = await TestApi.open();
  const created = await api.post("/v1/jobs", { ...pretrain, name: "mine", metadata: { Team: "A" } });
  expect(created.status).toBe(201);
  const job = await created.json();
  expect(created.headers.get("location")).toBe(`/v1/jobs/${job.id}`);
  expect(job).toMatchObject({
    kind: "pretrain",
    status: "queued",
    name: "mine",
    metadata: { Team: "A" },
    request: {
      model: { image_size: 28, mask_ratio: 0.75 },
      batch_size: 128,
      betas: [0.9, 0.999],
      lr: 1.5e-4,
    },
    progress: null,
    attempt: 0,
  });
  expect(await (await api.send(`/v1/jobs/${job.id}`)).json()).toEqual(job);
});

Deno.test("the same Idempotency-Key and body give the same job, another body is refused", async () => {
  await using api = await TestApi.open();
  const key = { "idempotency-key": "k1" };
  const all = await Promise.all(Array.from({ length: 5 }, () => api.post("/v1/jobs", pretrain, key)));
  const ids = new Set(await Promise.all(all.map(async (response) => (await response.json()).id)));
  expect(ids.size).toBe(1);
  expect(all.filter((response) => response.headers.get("idempotency-replayed") === "true").length).toBe(4);
  const other = await api.post("/v1/jobs", { ...pretrain, epochs: 2 }, key);
  expect(other.status).toBe(422);
  expect((await other.json()).detail).toContain("Idempotency-Key");
  expect((await (await api.send("/v1/jobs")).json()).data.length).toBe(1);
});

Deno.test("lists come in pages, newest first, and filters hold while jobs come and go", async () => {
  await using api = await TestApi.open();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push((await (await api.post("/v1/jobs", pretrain)).json()).id);
  const first = await (await api.send("/v1/jobs?limit=2")).json();
  expect(first).toMatchObject({ object: "list", has_more: true, next: ids[3] });
  expect(first.data.map(({ id }: { id: string }) => id)).toEqual([ids[4], ids[3]]);
  await api.post("/v1/jobs", pretrain);
  await api.send(`/v1/jobs/${ids[2]}`, { method: "DELETE" });
  const second = await (await api.send(`/v1/jobs?limit=2&after=${first.next}`)).json();
  expect(second.data.map(({ id }: { id: string }) => id)).toEqual([ids[1], ids[0]]);
  expect(second).toMatchObject({ has_more: false, next: null });
  await api.send(`/v1/jobs/${ids[0]}/cancel`, { method: "POST" });
  const cancelled = await (await api.send("/v1/jobs?status=cancelled&kind=pretrain")).json();
  expect(cancelled.data.map(({ id }: { id: string }) => id)).toEqual([ids[0]]);
  expect((await (await api.send("/v1/jobs?kind=evaluate")).json()).data).toEqual([]);
});

Deno.test("cancelling and deleting answer for every state", async () => {
  await using api = await TestApi.open();
  const create = async () => (await (await api.post("/v1/jobs", pretrain)).json()).id as string;
  const send = async (method: string, path: string) =>
    (await api.send(`/v1/jobs/${path}`, { method })).status;

  const queued = await create();
  expect(await send("POST", `${queued}/cancel`)).toBe(200);
  expect(await send("POST", `${queued}/cancel`)).toBe(409);
  expect(await send("DELETE", queued)).toBe(204);
  expect(await send("DELETE", queued)).toBe(404);

  const running = await create();
  const queue = new JobQueue(api.jobs, "test");
  const claim = (await queue.claim())!;
  expect(await send("DELETE", running)).toBe(409);
  const asked = await (await api.send(`/v1/jobs/${running}/cancel`, { method: "POST" })).json();
  expect(asked).toMatchObject({ status: "running", cancel_requested_at: expect.any(String) });
  await queue.finish(claim, { type: "cancelled" });
  expect(await (await api.send(`/v1/jobs/${running}`)).json()).toMatchObject({ status: "cancelled" });
});

Deno.test("waiting ends with the job, or with the time asked for", async () => {
  await using api = await TestApi.open();
  const { id } = await (await api.post("/v1/jobs", pretrain)).json();
  const soon = await api.send(`/v1/jobs/${id}?wait=0`);
  expect(await soon.json()).toMatchObject({ status: "queued" });
  const waiting = api.send(`/v1/jobs/${id}`, { headers: { prefer: "wait=30" } });
  await api.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
  const ended = await waiting;
  expect(ended.headers.get("preference-applied")).toBe("wait=30");
  expect(await ended.json()).toMatchObject({ status: "cancelled" });
});

Deno.test("deleting a job takes its checkpoints and their files with it, unless another job needs them", async () => {
  await using api = await TestApi.open();
  const { id, jobId } = await api.model();
  const tuning = await (await api.post("/v1/jobs", { kind: "finetune", dataset: "digits", checkpoint: id }))
    .json();
  const refused = await api.send(`/v1/jobs/${jobId}`, { method: "DELETE" });
  expect(refused.status).toBe(409);
  expect((await refused.json()).detail).toContain(tuning.id);
  await api.send(`/v1/jobs/${tuning.id}/cancel`, { method: "POST" });
  expect((await api.send(`/v1/jobs/${jobId}`, { method: "DELETE" })).status).toBe(204);
  expect((await api.send(`/v1/checkpoints/${id}`)).status).toBe(404);
  expect((await api.traces()).filter((trace) => trace.startsWith("object"))).toEqual([]);
});

Deno.test("events are a page, or a stream that goes on after the last one seen and ends with the job", async () => {
  await using api = await TestApi.open();
  const { id } = await (await api.post("/v1/jobs", pretrain)).json();
  const queue = new JobQueue(api.jobs, "test");
  const claim = (await queue.claim())!;
  await queue.record(claim, {
    backend: { name: "wasm", notes: [] },
    logs: [{ level: "warning", message: "slow" }],
  });
  const page = await (await api.send(`/v1/jobs/${id}/events`)).json();
  expect(page.data.map(({ type }: { type: string }) => type)).toEqual(["status", "status", "log", "log"]);
  expect(page.data[3]).toMatchObject({ level: "warning", message: "slow" });

  const seen = page.data[1].seq;
  const stream = await api.send(`/v1/jobs/${id}/events`, {
    headers: { accept: "text/event-stream", "last-event-id": String(seen) },
  });
  expect(stream.headers.get("content-type")).toContain("text/event-stream");
  const reading = stream.text();
  await queue.finish(claim, {
    type: "failed",
    error: { code: "loss_not_finite", message: "The loss is NaN" },
  });
  const text = await reading;
  expect(text).toContain(`id: ${seen + 1}\n`);
  expect(text).not.toContain(`id: ${seen}\n`);
  expect(text).toContain("The loss is NaN");
});
