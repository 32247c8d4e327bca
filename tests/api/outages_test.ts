import { expect } from "expect";
import { openStore } from "../../data/objects/open.ts";
import { OutageLogStore } from "../../data/objects/outageLogStore.ts";
import { type ObjectStore, StorageUnavailableError } from "../../data/objects/store.ts";
import { guardedKv } from "../../jobs/store/kv/open.ts";
import { KvCircuit } from "../../jobs/store/kv/circuit.ts";
import { problemOf, TestApi } from "./fixtures.ts";

/** A database that can be made unavailable, behind the service's circuit breaker. */
class Outage {
  message: string | null = null;
  readonly lines: string[] = [];
  readonly polled = Promise.withResolvers<void>();
  readonly noticed = Promise.withResolvers<void>();

  readonly wrap = (real: Deno.Kv): Deno.Kv => {
    const check = () => {
      if (this.message !== null) throw new TypeError(this.message);
    };
    const atomic = () => {
      const operation = real.atomic();
      const commit = operation.commit.bind(operation);
      operation.commit = () => Promise.resolve().then(check).then(commit);
      return operation;
    };
    const list = (...args: Parameters<Deno.Kv["list"]>) => {
      const rows = real.list(...args);
      const next = rows.next.bind(rows);
      rows.next = () => Promise.resolve().then(check).then(next);
      return rows;
    };
    const broken = new Proxy(real, {
      get: (target, name) => {
        if (name === "atomic") return atomic;
        if (name === "list") return list;
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        if (name === "close") return () => target.close();
        return async (...args: unknown[]) => {
          check();
          if (name === "getMany") this.polled.resolve();
          return await value.apply(target, args);
        };
      },
    });
    const log = (line: string) => {
      this.lines.push(line);
      this.noticed.resolve();
    };
    return guardedKv(broken, new KvCircuit({ local: false, log }));
  };
}

const json = { "content-type": "application/json" };
const post = (path: string, body: unknown): [string, RequestInit] => [path, {
  method: "POST",
  headers: json,
  body: JSON.stringify(body),
}];
const DATASET = "ds_01JD0000000000000000000000";

for (
  const message of [
    "error sending request for url (http://10.0.0.1:4512/): connection refused",
    "database is locked",
  ]
) {
  Deno.test(`database error "${message.slice(0, 21)}": 503 on every route that needs it, logged once`, async () => {
    const outage = new Outage();
    await using api = await TestApi.open({}, undefined, undefined, outage.wrap);
    const { id, jobId } = await api.model();
    const dataset = { id: "digits", indices: [0] };
    const requests: [string, RequestInit?][] = [
      ["/v1/jobs"],
      ["/v1/jobs?status=queued&limit=5"],
      [`/v1/jobs/${jobId}`],
      [`/v1/jobs/${jobId}?wait=1`],
      [`/v1/jobs/${jobId}`, { method: "HEAD" }],
      [`/v1/jobs/${jobId}`, { method: "DELETE" }],
      post(`/v1/jobs/${jobId}/cancel`, {}),
      [`/v1/jobs/${jobId}/events`],
      [`/v1/jobs/${jobId}/events`, { headers: { accept: "text/event-stream" } }],
      [`/v1/jobs/${jobId}/metrics`],
      [`/v1/jobs/${jobId}/checkpoints`],
      [`/v1/checkpoints/${id}`],
      [`/v1/checkpoints/${id}/content`],
      post("/v1/jobs", { kind: "pretrain", dataset: "digits" }),
      post("/v1/jobs", { kind: "evaluate", dataset: "digits", checkpoint: id }),
      post("/v1/reconstructions", { checkpoint: id, dataset }),
      post("/v1/embeddings", { job: jobId, dataset }),
      post("/v1/classifications", { checkpoint: id, dataset }),
    ];
    outage.message = message;
    for (const [path, init] of requests) {
      const response = await api.send(path, init);
      expect({ path, status: response.status }).toEqual({ path, status: 503 });
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      if (init?.method !== "HEAD") expect((await problemOf(response, 503)).detail).not.toContain("10.0.0.1");
    }
    const ready = await problemOf(await api.send("/readyz"), 503);
    expect(ready.errors.map(({ path }) => path)).toEqual(["database"]);
    expect((await api.send("/healthz")).status).toBe(200);
    const metrics = await api.send("/metrics");
    expect(metrics.status).toBe(200);
    expect(await metrics.text()).toMatch(/unmask_database_up 0\n/);
    expect(api.log.filter(({ level }) => level === "error")).toEqual([]);
    expect(outage.lines.length).toBe(1);
    outage.message = null;
    let back = await api.send("/v1/jobs");
    while (back.status === 503) back = await api.send("/v1/jobs");
    expect(back.status).toBe(200);
    expect(outage.lines.length).toBe(2);
    expect(await (await api.send("/metrics")).text()).toMatch(/unmask_database_up 1\n/);
  });
}

Deno.test("a wait during an outage returns the last known state of the job", async () => {
  const outage = new Outage();
  await using api = await TestApi.open({}, undefined, undefined, outage.wrap);
  const waiting = api.post("/v1/jobs", { kind: "pretrain", dataset: "digits" }, { prefer: "wait=1" });
  await outage.polled.promise;
  outage.message = "error sending request";
  const response = await waiting;
  expect(response.status).toBe(201);
  expect(await response.json()).toMatchObject({ status: "queued" });
});

Deno.test("an event stream continues after an outage of the database", async () => {
  const outage = new Outage();
  await using api = await TestApi.open({}, undefined, undefined, outage.wrap);
  const id = await api.job();
  const stream = await api.send(`/v1/jobs/${id}/events`, { headers: { accept: "text/event-stream" } });
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("id: 1")) text += (await reader.read()).value;
  outage.message = "error sending request";
  const rest = (async () => {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) text += chunk.value;
  })();
  await outage.noticed.promise;
  outage.message = null;
  let cancelled = await api.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
  while (cancelled.status === 503) cancelled = await api.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
  await rest;
  expect(text).toMatch(/"status":"cancelled"[^]*event: end/);
});

Deno.test("unavailable object storage: 503 on the routes that need it, and two log lines", async () => {
  const folder = await Deno.makeTempDir();
  let away = false;
  const real = openStore({ url: `file:${folder}` });
  const broken = new Proxy(real, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (!away) return value.apply(target, args);
        const error = new StorageUnavailableError(
          "Object storage is unavailable: http://10.0.0.1:9000 refused",
        );
        if (name === "list") return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) };
        return Promise.reject(error);
      };
    },
  }) as ObjectStore;
  const lines: string[] = [];
  await using api = await TestApi.open({}, new OutageLogStore(broken, (line) => lines.push(line)));
  const { id } = await api.model();
  away = true;
  const requests: [string, RequestInit?][] = [
    [`/v1/checkpoints/${id}/content`],
    ["/v1/datasets"],
    [`/v1/datasets/${DATASET}`],
    [`/v1/datasets/${DATASET}`, { method: "DELETE" }],
    post("/v1/jobs", { kind: "pretrain", dataset: DATASET }),
    post("/v1/embeddings", { checkpoint: id, dataset: { id: DATASET, indices: [0] } }),
  ];
  for (const [path, init] of requests) {
    const response = await api.send(path, init);
    expect({ path, status: response.status }).toEqual({ path, status: 503 });
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await problemOf(response, 503)).detail).not.toContain("10.0.0.1");
  }
  const ready = await problemOf(await api.send("/readyz"), 503);
  expect(ready.errors.map(({ path }) => path)).toEqual(["object_storage"]);
  expect((await api.send("/v1/jobs")).status).toBe(200);
  expect(api.log.filter(({ level }) => level === "error")).toEqual([]);
  away = false;
  expect((await api.send("/readyz")).status).toBe(200);
  expect(lines).toEqual([
    expect.stringContaining("unavailable"),
    expect.stringMatching(/available again after/),
  ]);
  await Deno.remove(folder, { recursive: true });
});
