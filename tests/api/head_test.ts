import { expect } from "expect";
import { TestApi } from "./fixtures.ts";

Deno.test("HEAD returns the Content-Length of GET and no body", async (t) => {
  await using api = await TestApi.open();
  const { id, jobId } = await api.model();
  await using server = await api.listen();
  const paths = [
    "/healthz",
    "/v1/jobs",
    `/v1/jobs/${jobId}`,
    `/v1/jobs/${jobId}/events`,
    `/v1/jobs/${jobId}/metrics`,
    `/v1/jobs/${jobId}/checkpoints`,
    `/v1/checkpoints/${id}`,
    `/v1/checkpoints/${id}/content`,
    "/v1/datasets",
    "/v1/datasets/digits",
    "/openapi.json",
    "/",
    "/docs",
    "/v1/jobs/job_01JD0000000000000000000000",
    "/v1/jobs?limit=0",
    "/nothing",
  ];
  for (const path of paths) {
    await t.step(path, async () => {
      const url = `http://127.0.0.1:${server.port}${path}`;
      const headers = { "x-request-id": "the-same-for-both" };
      const whole = await fetch(url, { headers });
      const { byteLength } = await whole.arrayBuffer();
      const head = await fetch(url, { method: "HEAD", headers });
      expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
        whole.status,
        String(byteLength),
        "",
      ]);
      expect(whole.headers.get("content-length")).toBe(String(byteLength));
      expect(head.headers.get("content-type")).toBe(whole.headers.get("content-type"));
    });
  }
});
