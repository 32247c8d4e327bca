import { expect } from "expect";
import { openStore } from "../../data/objects/open.ts";
import { TestApi } from "./fixtures.ts";

Deno.test("the OpenAPI document describes every route, and all its references resolve", async () => {
  await using api = await TestApi.open();
  const document = await (await api.send("/openapi.json")).json();
  expect(document.openapi).toBe("3.1.0");
  const operations = Object.entries(document.paths as Record<string, object>)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
  expect(operations.sort()).toEqual([
    "delete /v1/datasets/{id}",
    "delete /v1/jobs/{id}",
    "get /healthz",
    "get /metrics",
    "get /openapi.json",
    "get /readyz",
    "get /v1/checkpoints/{id}",
    "get /v1/checkpoints/{id}/content",
    "get /v1/datasets",
    "get /v1/datasets/{id}",
    "get /v1/jobs",
    "get /v1/jobs/{id}",
    "get /v1/jobs/{id}/checkpoints",
    "get /v1/jobs/{id}/events",
    "get /v1/jobs/{id}/metrics",
    "get /v1/jobs/{id}/results/confusion.json",
    "post /v1/classifications",
    "post /v1/datasets",
    "post /v1/embeddings",
    "post /v1/jobs",
    "post /v1/jobs/{id}/cancel",
    "post /v1/reconstructions",
  ].sort());
  const text = JSON.stringify(document);
  for (const [, path] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const found = path.split("/").reduce<unknown>(
      (node, key) => (node as Record<string, unknown>)?.[key],
      document,
    );
    expect({ path, found: typeof found }).toEqual({ path, found: "object" });
  }
});

Deno.test("health, readiness, metrics and pages respond", async () => {
  await using api = await TestApi.open();
  for (const path of ["/healthz", "/readyz"]) {
    expect(await (await api.send(path)).json()).toEqual({ status: "ok" });
  }
  await api.post("/v1/jobs", { kind: "pretrain", dataset: "digits" });
  const metrics = await (await api.send("/metrics")).text();
  expect(metrics).toMatch(/unmask_jobs\{status="queued"\} 1/);
  for (const path of ["/", "/docs"]) {
    const page = await api.send(path);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await page.text()).toContain("<!doctype html>");
  }
});

Deno.test("with unreachable object storage the service is not ready, but healthy", async () => {
  // Nothing listens on port 1.
  const s3 = {
    region: "us-east-1",
    endpoint: "http://127.0.0.1:1",
    accessKeyId: "key",
    secretAccessKey: "secret",
  };
  await using api = await TestApi.open({ readyMs: 200 }, openStore({ url: "s3://bucket", s3 }));
  const ready = await api.send("/readyz");
  expect(ready.status).toBe(503);
  expect((await ready.json()).errors).toMatchObject([{ path: "object_storage" }]);
  expect((await api.send("/healthz")).status).toBe(200);
});
