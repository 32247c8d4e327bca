import { expect } from "expect";
import { checkpointOf } from "../jobs/fixtures.ts";
import { problemOf, TestApi } from "./fixtures.ts";

Deno.test("the checkpoints of a job are listed in pages, newest first, and each is equal to the single resource", async () => {
  await using api = await TestApi.open();
  const { id, claim } = await api.running();
  const ids: string[] = [];
  for (let step = 1; step <= 5; step++) {
    const checkpoint = checkpointOf(id, { step, final: step === 5, stateKey: step === 1 ? null : "a/b" });
    await claim.record({ checkpoint });
    ids.push(checkpoint.id);
  }
  const list = async (query: string) =>
    await (await api.send(`/v1/jobs/${id}/checkpoints${query}`)).json() as {
      data: { id: string }[];
      has_more: boolean;
      next: string | null;
    };
  const all = await list("");
  expect(all.data.map((row) => row.id)).toEqual(ids.toReversed());
  expect(all).toMatchObject({ object: "list", has_more: false, next: null });
  expect(all.data[0]).toEqual({
    id: ids[4],
    job_id: id,
    name: null,
    origin: null,
    uses: {
      jobs: ["pretrain", "finetune", "linear_probe", "evaluate"],
      endpoints: ["/v1/reconstructions", "/v1/embeddings"],
    },
    model: "mae",
    step: 5,
    epoch: 0,
    final: true,
    metrics: { loss: 0.5 },
    config: expect.objectContaining({ image_size: 28, decoder_num_heads: 4 }),
    num_classes: 0,
    class_names: [],
    resize: "crop",
    background: "none",
    size: 1024,
    sha256: "ab".repeat(32),
    resumable: true,
    content_url: `/v1/checkpoints/${ids[4]}/content`,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  });
  expect(all.data[4]).toMatchObject({ final: false, resumable: false });
  for (const row of all.data) {
    expect(await (await api.send(`/v1/checkpoints/${row.id}`)).json()).toEqual(row);
  }
  const first = await list("?limit=2");
  expect(first).toMatchObject({ has_more: true, next: ids[3] });
  const second = await list(`?limit=3&after=${first.next}`);
  expect(second).toMatchObject({ has_more: false, next: null });
  expect([...first.data, ...second.data]).toEqual(all.data);
  expect((await (await api.send(`/v1/jobs/${id}`)).json()).latest_checkpoint).toBe(ids[4]);
});

Deno.test("the content has the stored bytes, whole and in ranges", async (t) => {
  await using api = await TestApi.open();
  const { id, objectKey, size, sha256, createdAt } = await api.model();
  const bytes = await api.object(objectKey);
  const get = (headers: Record<string, string> = {}, method = "GET") =>
    api.send(`/v1/checkpoints/${id}/content`, { method, headers });
  const etag = `"${sha256}"`;
  const past = `bytes */${size}`;
  const part = (from: number, to: number) => `bytes ${from}-${to}/${size}`;
  const table: [title: string, headers: Record<string, string>, status: number, range: string | null][] = [
    ["everything", {}, 200, null],
    ["the first byte", { range: "bytes=0-0" }, 206, part(0, 0)],
    ["the last byte", { range: "bytes=-1" }, 206, part(size - 1, size - 1)],
    ["from a byte on", { range: "bytes=1000-" }, 206, part(1000, size - 1)],
    ["an end past the end of the file", { range: "bytes=8-99999999" }, 206, part(8, size - 1)],
    ["several parts: all of it", { range: "bytes=0-9,20-29" }, 200, null],
    ["another unit: all of it", { range: "items=0-9" }, 200, null],
    ["past 2^53", { range: "bytes=9007199254740993-" }, 416, past],
    ["past 2^53, with an end", { range: "bytes=9007199254740993-9007199254740994" }, 416, past],
    ["past the largest number", { range: `bytes=${"9".repeat(400)}-` }, 416, past],
    ["an end past 2^53", { range: `bytes=8-${"9".repeat(20)}` }, 206, part(8, size - 1)],
    ["a suffix longer than the file", { range: `bytes=-${"9".repeat(20)}` }, 206, part(0, size - 1)],
    ["leading zeros", { range: `bytes=${"0".repeat(20)}5-9` }, 206, part(5, 9)],
    ["an empty suffix", { range: "bytes=-0" }, 416, past],
    [
      "an end before the start, past 2^53: the whole file",
      {
        range: "bytes=9007199254740994-9007199254740993",
      },
      200,
      null,
    ],
    ["a negative number: the whole file", { range: "bytes=-5-9" }, 200, null],
    ["a fraction: the whole file", { range: "bytes=1.5-9" }, 200, null],
    ["past the end", { range: `bytes=${size}-` }, 416, past],
    ["a part of the same file", { range: "bytes=5-9", "if-range": etag }, 206, part(5, 9)],
    ["a part of another file: all of this one", { range: "bytes=5-9", "if-range": '"x"' }, 200, null],
    [
      "a part, compared by time: all of it",
      {
        range: "bytes=5-9",
        "if-range": new Date(createdAt).toUTCString(),
      },
      200,
      null,
    ],
    ["another version", { "if-none-match": '"x", "y"' }, 200, null],
  ];
  for (const [title, headers, status, range] of table) {
    await t.step(title, async () => {
      const response = await get(headers);
      expect([response.status, response.headers.get("content-range")]).toEqual([status, range]);
      if (status === 416) return void await problemOf(response, 416);
      const [from, to] = range ? range.match(/\d+/g)!.map(Number) : [0, size - 1];
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes.slice(from, to + 1));
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-length": String(to - from + 1),
        "content-type": "application/octet-stream",
        "content-disposition": `attachment; filename="${id}.safetensors"`,
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        etag,
      });
    });
  }
  await t.step("a version that the client has gives 304, with and without a range", async () => {
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      for (const range of ["", "bytes=0-9"]) {
        for (const method of ["GET", "HEAD"]) {
          const response = await get({ "if-none-match": tag, range }, method);
          expect([response.status, response.headers.get("etag"), await response.text()]).toEqual([
            304,
            etag,
            "",
          ]);
        }
      }
    }
  });
  await t.step("HEAD returns the headers of the whole file", async () => {
    const head = await get({ range: "bytes=0-9" }, "HEAD");
    expect([head.status, head.headers.get("content-length"), head.headers.get("content-range")]).toEqual([
      200,
      String(size),
      null,
    ]);
  });
});

Deno.test("a download through a real server has its length, and can be resumed", async () => {
  await using api = await TestApi.open();
  const { id, objectKey, size } = await api.model();
  await using server = await api.listen();
  const url = `http://127.0.0.1:${server.port}/v1/checkpoints/${id}/content`;
  const head = await fetch(url, { method: "HEAD" });
  expect(head.headers.get("content-length")).toBe(String(size));
  const first = new Uint8Array(
    await (await fetch(url, { headers: { range: "bytes=0-4999" } })).arrayBuffer(),
  );
  const response = await fetch(url, {
    headers: { range: `bytes=${first.length}-`, "if-range": head.headers.get("etag")! },
  });
  const second = new Uint8Array(await response.arrayBuffer());
  expect(new Uint8Array([...first, ...second])).toEqual(await api.object(objectKey));
});

Deno.test("an unknown id, a deleted file and an unacceptable media type give a problem", async () => {
  await using api = await TestApi.open();
  const { id, objectKey } = await api.model();
  const json = { headers: { accept: "application/json" } };
  await problemOf(await api.send(`/v1/checkpoints/${id}/content`, json), 406);
  const unknown = `ckpt_${"0".repeat(26)}`;
  for (const path of [`checkpoints/${unknown}`, `checkpoints/${unknown}/content`]) {
    expect((await problemOf(await api.send(`/v1/${path}`), 404)).detail).toContain(unknown);
  }
  await problemOf(await api.send(`/v1/jobs/job_${"0".repeat(26)}/checkpoints`), 404);
  for (const query of ["limit=0", "limit=101", `after=job_${"0".repeat(26)}`]) {
    const { jobId } = (await api.jobs.getCheckpoint(id))!;
    const problem = await problemOf(await api.send(`/v1/jobs/${jobId}/checkpoints?${query}`), 422);
    expect(problem.errors.map((error) => error.path)).toEqual([query.split("=")[0]]);
  }
  await api.objects.delete(objectKey);
  const missing = await problemOf(await api.send(`/v1/checkpoints/${id}/content`), 404);
  expect(missing.detail).not.toContain(objectKey);
});

Deno.test("a checkpoint of a job is deleted with the job only, and an unknown one is not found", async () => {
  await using api = await TestApi.open();
  const { id, jobId } = await api.model();
  const { detail } = await problemOf(await api.send(`/v1/checkpoints/${id}`, { method: "DELETE" }), 409);
  expect(detail).toContain(`belongs to job '${jobId}' and is deleted with it`);
  expect((await api.send(`/v1/jobs/${jobId}`, { method: "DELETE" })).status).toBe(204);
  await problemOf(await api.send(`/v1/checkpoints/${id}`, { method: "DELETE" }), 404);
});
