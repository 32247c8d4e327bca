import { expect } from "expect";
import type { UploadRow } from "../../jobs/store/rows/keys.ts";
import type { Bytes } from "../../data/bytes.ts";
import { idx, idxDigits } from "../setup/uploads.ts";
import { problemOf, TestApi } from "./fixtures.ts";

const image = idx(0x803, [2, 2, 2], Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
const other = idx(0x803, [2, 2, 2], Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9));

interface Options {
  readonly key?: string;
  readonly fields?: Record<string, string>;
  readonly filename?: string;
}

function post(
  api: TestApi,
  files: Record<string, Bytes>,
  { key = "k", fields = {}, filename = "a" }: Options = {},
) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  for (const [name, content] of Object.entries(files)) form.set(name, new File([content], filename));
  return api.send("/v1/datasets", { method: "POST", body: form, headers: { "idempotency-key": key } });
}

async function created(response: Response): Promise<{ id: string; replayed: boolean; body: unknown }> {
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({ status: 201 });
  const body = JSON.parse(text);
  expect(response.headers.get("location")).toBe(`/v1/datasets/${body.id}`);
  return { id: body.id, replayed: response.headers.get("idempotency-replayed") === "true", body };
}

async function uploads(api: TestApi): Promise<string[]> {
  const { data } = await (await api.send("/v1/datasets?limit=100")).json();
  return data.map(({ id }: { id: string }) => id).filter((id: string) => id.startsWith("ds_"));
}

Deno.test("a repeated upload with the same key returns the same data set", async () => {
  await using api = await TestApi.open();
  const { images, labels } = idxDigits(20, "train");
  const files = { train_images: images, train_labels: labels };
  const fields = { held_out: "0.5", resize: "pad", background: "white" };
  const first = await created(await post(api, files, { key: '"quoted"', fields }));
  // The same number in another notation; the same key without quotes.
  const again = await created(
    await post(api, files, { key: "quoted", fields: { ...fields, held_out: ".5" } }),
  );
  expect([first.replayed, again.replayed]).toEqual([false, true]);
  expect(again.body).toEqual(first.body);
  expect(await uploads(api)).toEqual([first.id]);
  const without = await (await api.upload(files, fields)).json();
  expect(without.id).not.toBe(first.id);
  expect((await api.traces()).filter((trace) => trace.startsWith("upload"))).toEqual([]);
});

Deno.test("a key that was used with other files, fields or a name is rejected, and nothing is stored", async () => {
  await using api = await TestApi.open();
  const { id } = await created(await post(api, { train_images: image }));
  const differing: [Record<string, Bytes>, Options][] = [
    [{ train_images: other }, {}],
    [{ train_images: image, test_images: image }, {}],
    [{ train_images: image }, { fields: { held_out: "0.3" } }],
    [{ train_images: image }, { fields: { resize: "pad" } }],
    [{ train_images: image }, { fields: { name: "a" } }],
    [{ train_images: image }, { filename: "b" }],
  ];
  for (const [files, options] of differing) {
    expect((await problemOf(await post(api, files, options), 422)).detail).toContain("Idempotency-Key");
  }
  expect(await uploads(api)).toEqual([id]);
  expect((await created(await post(api, { train_images: image }))).id).toBe(id);
  // Jobs have separate keys.
  const job = await api.post("/v1/jobs", { kind: "pretrain", dataset: "digits" }, { "idempotency-key": "k" });
  expect(job.status).toBe(201);
});

Deno.test("concurrent uploads with the same key create one data set", async () => {
  await using api = await TestApi.open();
  const { images, labels } = idxDigits(20, "train");
  const twins = await Promise.all(
    Array.from(
      { length: 6 },
      async () => await created(await post(api, { train_images: images, train_labels: labels })),
    ),
  );
  expect(new Set(twins.map(({ id }) => id)).size).toBe(1);
  expect(twins.filter(({ replayed }) => !replayed).length).toBe(1);
  expect(await uploads(api)).toEqual([twins[0].id]);
});

Deno.test("a rejected upload leaves its key free", async () => {
  await using api = await TestApi.open();
  const cut = image.slice(0, -1);
  const rejected: Record<string, Bytes>[] = [{ train_images: cut }, { train_images: cut }, {}];
  for (const files of rejected) {
    await problemOf(await post(api, files, { fields: { seed: "1" } }), 422);
  }
  const { replayed } = await created(await post(api, { train_images: image }));
  expect(replayed).toBe(false);
});

Deno.test("the key of a deleted data set is free, like that of a deleted job", async () => {
  await using api = await TestApi.open();
  const first = await created(await post(api, { train_images: image }));
  expect((await api.send(`/v1/datasets/${first.id}`, { method: "DELETE" })).status).toBe(204);
  const second = await created(await post(api, { train_images: other }));
  expect([second.replayed, second.id === first.id]).toEqual([false, false]);
  expect(await uploads(api)).toEqual([second.id]);
});

Deno.test("a key that a killed process reserved becomes free again, even if its clock was wrong", async (t) => {
  for (const [title, until] of [["in the past", -1], ["an hour ahead", 3_600_000]] as const) {
    await t.step(`a reservation that ends ${title}`, async () => {
      await using api = await TestApi.open();
      const now = Date.now();
      const row: UploadRow = {
        datasetId: `ds_${"A".repeat(26)}`,
        fingerprint: "x",
        at: now,
        until: now + until,
      };
      await api.kv.set(["upload", "k"], row);
      const first = await created(await post(api, { train_images: image }));
      expect(first.replayed).toBe(false);
      expect((await created(await post(api, { train_images: image }))).id).toBe(first.id);
    });
  }
  await t.step("a data set that was stored before the kill is found", async () => {
    await using api = await TestApi.open();
    const first = await created(await post(api, { train_images: image }));
    const { value } = await api.kv.get<UploadRow>(["upload", "k"]);
    expect(value).toMatchObject({ id: first.id, until: null });
    await api.kv.set(["upload", "k"], { ...value, until: Date.now() - 1 });
    expect(await created(await post(api, { train_images: image }))).toMatchObject({
      id: first.id,
      replayed: true,
    });
  });
});

Deno.test("a key is 1 to 255 printable characters", async () => {
  await using api = await TestApi.open();
  for (const key of ["a b", "x".repeat(256), '""', "é"]) {
    await problemOf(await post(api, { train_images: image }, { key }), 400);
  }
  expect(await uploads(api)).toEqual([]);
});

Deno.test("reusing the key of a damaged data set reports the damage; the key is free after its deletion", async () => {
  await using api = await TestApi.open();
  const { id } = await created(await post(api, { train_images: image }));
  await api.objects.put(`datasets/${id}/meta.json`, new TextEncoder().encode("{"));
  expect((await problemOf(await post(api, { train_images: image }), 409)).detail).toContain(id);
  expect((await api.send(`/v1/datasets/${id}`, { method: "DELETE" })).status).toBe(204);
  expect((await created(await post(api, { train_images: image }))).replayed).toBe(false);
});
