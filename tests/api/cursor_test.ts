import { expect } from "expect";
import { ulid } from "ulid";
import { problemOf, TestApi } from "./fixtures.ts";

Deno.test("a cursor that was never an id is rejected, and paging continues after a deleted row", async (t) => {
  await using api = await TestApi.open();
  const ids = [await api.job(), await api.job(), await api.job()];
  const page = async (path: string) =>
    (await (await api.send(path)).json()).data.map((row: { id: string }) => row.id);
  const rejected = async (path: string) =>
    expect((await problemOf(await api.send(path), 422)).errors.map((error) => error.path)).toEqual(["after"]);

  await t.step("jobs", async () => {
    expect(await page(`/v1/jobs?after=${ids[1]}`)).toEqual([ids[0]]);
    expect(await page(`/v1/jobs?after=${ids[0]}`)).toEqual([]);
    for (const after of ["0".repeat(26), "01JD0000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]) {
      await rejected(`/v1/jobs?after=job_${after}`);
    }
    await rejected(`/v1/jobs?after=job_${ulid(Date.now() + 3_600_000)}`);
    await rejected("/v1/jobs?after=ckpt_01JD0000000000000000000000");
    await rejected("/v1/jobs?after=x");
    await rejected("/v1/jobs?after=");
    expect((await api.send(`/v1/jobs/${ids[2]}`, { method: "DELETE" })).status).toBe(204);
    expect(await page(`/v1/jobs?after=${ids[2]}`)).toEqual([ids[1], ids[0]]);
  });
  await t.step("checkpoints", async () => {
    for (const id of ids.slice(0, 2)) await api.send(`/v1/jobs/${id}`, { method: "DELETE" });
    const one = await api.model(), other = await api.model();
    expect(await page(`/v1/jobs/${one.jobId}/checkpoints`)).toEqual([one.id]);
    expect(await page(`/v1/jobs/${one.jobId}/checkpoints?after=${one.id}`)).toEqual([]);
    await rejected(`/v1/jobs/${one.jobId}/checkpoints?after=${other.id}`);
    await rejected(`/v1/jobs/${other.jobId}/checkpoints?after=${one.id}`);
    await rejected(`/v1/jobs/${one.jobId}/checkpoints?after=ckpt_${"0".repeat(26)}`);
  });
  await t.step("data sets", async () => {
    const names = await page("/v1/datasets");
    expect(await page(`/v1/datasets?after=${names.at(-1)}`)).toEqual([]);
    await rejected(`/v1/datasets?after=ds_${"0".repeat(26)}`);
    await rejected("/v1/datasets?after=nothing");
  });
});

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

Deno.test("the free text of a job is one line, and may contain joiners", async (t) => {
  await using api = await TestApi.open();
  const create = (body: object) => api.post("/v1/jobs", { kind: "pretrain", dataset: "digits", ...body });
  const marks = [
    "\r\n",
    "\n",
    "\t",
    "\u0007",
    "\u007f",
    "\u0085",
    "\u2028",
    "\u202a",
    "\u202e",
    "\u2066",
    "\u2069",
    "\ufeff",
  ];
  for (const mark of marks) {
    await t.step(JSON.stringify(mark), async () => {
      const text = `a${mark}b`;
      for (
        const [body, path] of [
          [{ name: text }, "name"],
          [{ metadata: { key: text } }, "metadata.key"],
          [{ metadata: { [text]: "value" } }, `metadata.${text}`],
        ] as const
      ) {
        const problem = await problemOf(await create(body), 422);
        expect(problem.errors.map((error) => error.path)).toEqual([path]);
        expect(problem.errors[0].message).toContain("one line");
      }
    });
  }
  await t.step("joiners, emoji and scripts", async () => {
    const name = "می‌خواهم क्‍ष 👩‍🔬 猫";
    const response = await create({ name, metadata: { [name]: name, empty: "" } });
    expect(await response.json()).toMatchObject({ name, metadata: { [name]: name, empty: "" } });
  });
});
