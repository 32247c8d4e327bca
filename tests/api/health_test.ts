import { expect } from "expect";
import { openStore } from "../../data/objects/open.ts";
import { TestApi } from "./fixtures.ts";

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
