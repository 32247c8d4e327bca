import { expect } from "expect";
import type { ObjectStore } from "../../data/objects/store.ts";
import { JobQueue } from "../../jobs/store/queue/queue.ts";
import { problemOf, TestApi } from "./fixtures.ts";

const pretrain = { kind: "pretrain", dataset: "digits" };

Deno.test("a job is created with all defaults and can be read", async () => {
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

Deno.test("the same Idempotency-Key and body return the same job, and another body is rejected", async () => {
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

Deno.test("lists have pages, newest first, and filters that stay correct while jobs are created and deleted", async () => {
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

Deno.test("cancel and delete respond correctly in every state", async () => {
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
  const cancelling = await (await api.send(`/v1/jobs/${running}/cancel`, { method: "POST" })).json();
  expect(cancelling).toMatchObject({ status: "running", cancel_requested_at: expect.any(String) });
  await claim.finish({ type: "cancelled" });
  expect(await (await api.send(`/v1/jobs/${running}`)).json()).toMatchObject({ status: "cancelled" });
});

Deno.test("a wait ends when the job is finished or the requested time is over", async () => {
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

Deno.test("deleting a job deletes its checkpoints and their files, unless another job needs them", async () => {
  await using api = await TestApi.open();
  const { id, jobId } = await api.model();
  const tuning = await (await api.post("/v1/jobs", { kind: "finetune", dataset: "digits", checkpoint: id }))
    .json();
  const rejected = await api.send(`/v1/jobs/${jobId}`, { method: "DELETE" });
  expect(rejected.status).toBe(409);
  expect((await rejected.json()).detail).toContain(tuning.id);
  await api.send(`/v1/jobs/${tuning.id}/cancel`, { method: "POST" });
  expect((await api.send(`/v1/jobs/${jobId}`, { method: "DELETE" })).status).toBe(204);
  expect((await api.send(`/v1/checkpoints/${id}`)).status).toBe(404);
  expect((await api.traces()).filter((trace) => trace.startsWith("object"))).toEqual([]);
});

/** Wraps a store so that every call fails while `isBroken` returns true. */
function faultyStore(store: ObjectStore, isBroken: () => boolean): ObjectStore {
  return new Proxy(store, {
    get(store, name) {
      const value = Reflect.get(store, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (isBroken()) throw new Error("secret-disk-7 does not answer");
        return value.apply(store, args);
      };
    },
  });
}

Deno.test("only a created job uses an Idempotency-Key, not a failed request", async () => {
  await using whole = await TestApi.open();
  let broken = false;
  await using api = await TestApi.open({}, faultyStore(whole.objects, () => broken));
  const key = { "idempotency-key": "k" };
  await problemOf(await api.post("/v1/jobs", { ...pretrain, epochs: 0 }, key), 422);

  broken = true;
  const body = { ...pretrain, dataset: `ds_${"0".repeat(26)}` };
  const failure = await problemOf(await api.post("/v1/jobs", body, key), 500);
  expect(JSON.stringify(failure)).not.toContain("secret-disk-7");
  expect(api.log.at(-1)).toMatchObject({ level: "error", status: 500, requestId: failure.request_id });
  expect(String(api.log.at(-1)!.error)).toContain("secret-disk-7");
  broken = false;

  const made = await api.post("/v1/jobs", pretrain, key);
  expect([made.status, made.headers.get("idempotency-replayed")]).toEqual([201, null]);
  const { id } = await made.json();
  const quoted = await api.post("/v1/jobs", pretrain, { "idempotency-key": '"k"' });
  expect((await quoted.json()).id).toBe(id);
  // The same request with explicit defaults and another order of keys.
  const spelled = await api.post("/v1/jobs", { epochs: 1, dataset: { id: "digits" }, kind: "pretrain" }, key);
  expect((await spelled.json()).id).toBe(id);
  await api.send(`/v1/jobs/${id}`, { method: "DELETE" });
  expect((await (await api.post("/v1/jobs", pretrain, key)).json()).id).not.toBe(id);
});

Deno.test("name and metadata are returned unchanged, with any characters and at their maximum size", async () => {
  await using api = await TestApi.open();
  const metadata: Record<string, string> = {
    camelCase: "a",
    snake_case: "b",
    "Kebab-Case": "c",
    toString: "d",
    hasOwnProperty: "e",
    "日本語": "<script>alert(1)</script>",
    "a.b[0]": "'; DROP TABLE jobs; --",
  };
  for (let i = Object.keys(metadata).length; i < 16; i++) metadata[`${i}`.padEnd(64, "ж")] = "ж".repeat(512);
  const name = "ж".repeat(128);
  const created = await (await api.post("/v1/jobs", { ...pretrain, name, metadata })).json();
  expect(created).toMatchObject({ name, metadata });
  expect(Object.keys(created.metadata).length).toBe(16);
  expect(await (await api.send(`/v1/jobs/${created.id}`)).json()).toEqual(created);
  expect((await (await api.send("/v1/jobs")).json()).data).toEqual([created]);
});

Deno.test("every kind of job is accepted, and a source job is resolved to its checkpoint", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint, jobId } = await api.model();
  const kinds: string[] = ["pretrain"];
  for (const kind of ["finetune", "linear_probe", "evaluate"]) {
    const response = await api.post("/v1/jobs", { kind, dataset: "digits", job: jobId });
    expect(response.status).toBe(201);
    const { request } = await response.json();
    expect(request).toMatchObject({ kind, checkpoint, dataset: { id: "digits" } });
    expect(request.job).toBe(undefined);
    kinds.push(kind);
  }
  for (const kind of kinds) {
    const { data } = await (await api.send(`/v1/jobs?kind=${kind}`)).json();
    expect(data.map((job: { kind: string }) => job.kind)).toEqual([kind]);
  }
  const scratch = { kind: "finetune", dataset: "digits", model: { patch_size: 14, depth: 2 } };
  expect(await (await api.post("/v1/jobs", scratch)).json()).toMatchObject({
    request: { model: { patch_size: 14, depth: 2, embed_dim: 64 }, lr: 1e-3 },
  });
});

Deno.test("a page of a filtered list is full even if most jobs do not match", async () => {
  await using api = await TestApi.open();
  const expected: string[] = [];
  for (let i = 0; i < 24; i++) {
    const id = await api.job();
    if (i % 6 === 0) expected.unshift(id);
  }
  for (const id of expected) await api.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
  const found: string[] = [];
  for (let query = "", more = true; more;) {
    const page = await (await api.send(`/v1/jobs?status=cancelled&limit=3${query}`)).json();
    expect(page.data.length).toBe(found.length === 0 ? 3 : 1);
    found.push(...page.data.map(({ id }: { id: string }) => id));
    more = page.has_more;
    query = `&after=${page.next}`;
  }
  expect(found).toEqual(expected);
});

Deno.test("creating a job with Prefer: wait returns the finished job, or its current state", async () => {
  await using api = await TestApi.open();
  const soon = await api.post("/v1/jobs", pretrain, { prefer: "wait=0" });
  expect(soon.headers.get("preference-applied")).toBe("wait=0");
  expect(await soon.json()).toMatchObject({ status: "queued" });
  const { data: [{ id: first }] } = await (await api.send("/v1/jobs")).json();
  await api.send(`/v1/jobs/${first}`, { method: "DELETE" });

  const waiting = api.post("/v1/jobs", pretrain, { prefer: "respond-async, wait=30" });
  const queue = new JobQueue(api.jobs, "test");
  let claim = await queue.claim();
  while (claim === null) claim = await queue.claim();
  await claim.finish({ type: "succeeded", result: { loss: 0.25 } });
  const ended = await waiting;
  expect([ended.status, ended.headers.get("location")]).toEqual([201, `/v1/jobs/${claim.job.id}`]);
  expect(await ended.json()).toMatchObject({ status: "succeeded", result: { loss: 0.25 }, attempt: 1 });
});

Deno.test("the loss series is returned whole, with every n-th step, or in pages", async () => {
  await using api = await TestApi.open();
  const { id, claim } = await api.running();
  const steps = Array.from({ length: 10 }, (_, i) => ({
    step: i + 1,
    epoch: Math.floor(i / 5),
    loss: 1 / (i + 1),
    lr: 0.5,
  }));
  await claim.record({ steps });
  await claim.record({ epoch: { epoch: 0, step: 5, loss: 0.5, metrics: { accuracy: 0.75 } } });
  const get = async (query = "") => await (await api.send(`/v1/jobs/${id}/metrics${query}`)).json();
  const all = await get();
  expect(all).toMatchObject({ object: "metrics", job: id, every: 1, next: null });
  expect(all.epochs).toEqual([{ epoch: 0, step: 5, loss: 0.5, metrics: { accuracy: 0.75 } }]);
  expect(all.steps.map(({ step }: { step: number }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const [i, { loss, ...rest }] of all.steps.entries()) {
    expect(loss).toBeCloseTo(steps[i].loss, 6);
    expect({ ...rest, loss: steps[i].loss }).toEqual(steps[i]);
  }
  const numbers = ({ steps }: { steps: { step: number }[] }) => steps.map(({ step }) => step);
  const first = await get("?limit=4");
  expect([numbers(first), first.next]).toEqual([[1, 2, 3, 4], 4]);
  expect(numbers(await get(`?after=${first.next}`))).toEqual([5, 6, 7, 8, 9, 10]);
  const thin = await get("?every=5");
  expect(thin.every).toBe(5);
  expect(numbers(thin).length).toBe(2);
  await claim.record({ epoch: { epoch: 1, step: 10, loss: 0.25, metrics: {} } });
  expect(
    [await get("?limit=4"), await get("?after=4&limit=4"), await get("?every=10")].map((part) =>
      numbers({ steps: part.epochs })
    ),
  ).toEqual([[], [5], [10]]);
});
