import { expect } from "expect";
import type { Bytes } from "../../data/bytes.ts";
import { idxDigits, pngDigit, tarGz } from "../setup/uploads.ts";
import { problemOf, TestApi } from "./fixtures.ts";
import { type FinishedJob, TestRunner } from "./runner.ts";

const text = (value: string): Bytes => new TextEncoder().encode(value);

/** A data set of digits, in IDX files or in an archive. */
async function uploaded(api: TestApi, kind: "raw" | "pack", heldOut = "0"): Promise<string> {
  const { images, labels } = idxDigits(20, "train");
  const files: Record<string, Bytes> = kind === "raw" ? { train_images: images, train_labels: labels } : {
    archive: await tarGz({
      "a/1.png": await pngDigit(1),
      "a/2.png": await pngDigit(2),
      "b/3.png": await pngDigit(3),
    }),
  };
  const response = await api.upload(files, { held_out: heldOut });
  expect(response.status).toBe(201);
  return (await response.json()).id;
}

/** Ways to damage a description; each receives the original. */
const DESCRIPTIONS: [title: string, damage: (meta: string) => Bytes, pattern: RegExp][] = [
  ["nothing", () => text(""), /is not JSON/],
  ["junk", () => Uint8Array.of(0xff, 0, 0x8b, 1), /is not JSON/],
  ["cut", (meta) => text(meta.slice(0, -20)), /is not JSON/],
  ["null", () => text("null"), /its description is not a JSON object$/],
  ["a list", () => text("[1, 2]"), /its description is not a JSON object$/],
  ["without its information", () => text(`{"info": {}, "storage": {}}`), /has no valid 'info\./],
  ["with a count that is text", (meta) => text(meta.replace(/"count":\d+/, '"count":"x"')), /has no valid/],
  ["with a count below 0", (meta) => text(meta.replace(/"count":\d+/, '"count":-1')), /has no valid/],
  [
    "with fewer names than classes",
    (meta) => text(meta.replace(/"num_classes":\d+/, '"num_classes":77')),
    /class_names/,
  ],
  ["without storage", (meta) => text(meta.replace('"storage"', '"stored"')), /has no valid 'storage'$/],
  [
    "of another kind of storage",
    (meta) => text(meta.replace(/"kind":"\w+"/, '"kind":"cloud"')),
    /'storage\.kind'/,
  ],
  [
    "of another data set",
    (meta) => text(meta.replace(/ds_[0-9A-Z]{26}/, `ds_${"Z".repeat(26)}`)),
    /another data set/,
  ],
  ["of a later version", (meta) => text(meta.replace(/"version":1/, '"version":2')), /later version/],
];

Deno.test("a data set with a damaged description is reported in the list and can be deleted", async (t) => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model();
  const sound = await uploaded(api, "raw");
  for (const [title, damage, pattern] of DESCRIPTIONS) {
    await t.step(title, async () => {
      const id = await uploaded(api, "raw");
      const key = `datasets/${id}/meta.json`;
      await api.objects.put(key, damage(new TextDecoder().decode(await api.object(key))));

      const page = await (await api.send("/v1/datasets?limit=100")).json();
      expect(page.data.map(({ id }: { id: string }) => id)).toEqual([
        "digits",
        "mnist",
        "fashion-mnist",
        sound,
      ]);
      expect(page.damaged).toEqual([{ id, message: expect.stringMatching(pattern) }]);

      const path = `/v1/datasets/${id}`;
      expect((await problemOf(await api.send(path), 409)).detail).toMatch(pattern);
      const response = await api.post("/v1/reconstructions", { checkpoint, dataset: { id, indices: [0] } });
      expect((await problemOf(response, 422)).errors[0].path).toMatch(/^dataset/);
      const job = await api.post("/v1/jobs", { kind: "pretrain", dataset: id, batch_size: 4 });
      expect((await problemOf(job, 422)).errors).toEqual([{
        path: "dataset",
        message: expect.stringMatching(pattern),
      }]);

      expect((await api.send(path, { method: "DELETE" })).status).toBe(204);
      await problemOf(await api.send(path), 404);
      await problemOf(await api.send(path, { method: "DELETE" }), 404);
      const objects = (await api.traces()).filter((trace) => trace.startsWith("object"));
      expect(objects.filter((trace) => trace.includes(id))).toEqual([]);
    });
  }
});

Deno.test("each damaged data set is reported on exactly one page of the list", async () => {
  await using api = await TestApi.open();
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(await uploaded(api, "raw"));
  ids.sort();
  const damaged = [ids[0], ids[2], ids[4]];
  for (const id of damaged) await api.objects.put(`datasets/${id}/meta.json`, text("{"));
  for (const limit of [1, 2, 3, 4, 100]) {
    const seen: string[] = [], named: string[] = [];
    for (let after = "", more = true; more;) {
      const page = await (await api.send(`/v1/datasets?limit=${limit}${after}`)).json();
      seen.push(...page.data.map(({ id }: { id: string }) => id));
      named.push(...page.damaged.map(({ id }: { id: string }) => id));
      more = page.has_more;
      after = `&after=${page.next}`;
    }
    expect(seen).toEqual(["digits", "mnist", "fashion-mnist", ids[1], ids[3]]);
    expect(named).toEqual(damaged);
  }
});

Deno.test("a description of an earlier version gets the default resize and background", async () => {
  await using api = await TestApi.open();
  const id = await uploaded(api, "pack");
  const key = `datasets/${id}/meta.json`;
  const { version: _, info: { resize: _r, background: _b, notes: _n, ...info }, ...meta } = JSON.parse(
    new TextDecoder().decode(await api.object(key)),
  );
  await api.objects.put(key, text(JSON.stringify({ info, ...meta })));
  const dataset = await (await api.send(`/v1/datasets/${id}`)).json();
  expect(dataset).toMatchObject({ resize: "crop", background: "none", notes: [] });
});

const PARTS = {
  raw: ["train-images.raw", "train-labels.raw", "held-out.rows"],
  pack: ["pictures.pack", "index.json"],
} as const;

const DAMAGES: [title: string, damage: (api: TestApi, key: string) => Promise<unknown>][] = [
  ["missing", (api, key) => api.objects.delete(key)],
  ["empty", (api, key) => api.objects.put(key, new Uint8Array(0))],
  ["cut", async (api, key) => await api.objects.put(key, (await api.object(key)).slice(0, -3))],
  [
    "longer",
    async (api, key) => await api.objects.put(key, Uint8Array.from([...await api.object(key), 1, 2, 3])),
  ],
];

Deno.test("a missing or truncated part is reported as an error of the data set, for requests and jobs", async (t) => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model();
  const waiting: [title: string, job: string][] = [];
  for (const kind of ["raw", "pack"] as const) {
    for (const part of PARTS[kind]) {
      for (const [title, damage] of DAMAGES) {
        await t.step(`${part} is ${title}`, async () => {
          const id = await uploaded(api, kind, kind === "raw" ? "0.2" : "0");
          const job = { kind: "pretrain", dataset: id, batch_size: 2, max_steps: 1 };
          waiting.push([`${part} is ${title}`, await api.job(job)]);
          await damage(api, `datasets/${id}/${part}`);
          const rejected = await problemOf(await api.post("/v1/jobs", job), 422);
          expect(rejected.errors).toEqual([{
            path: "dataset",
            message: expect.stringContaining("is damaged"),
          }]);
          expect((await api.send(`/v1/datasets/${id}`)).status).toBe(200);
          if (title === "longer") return;
          const dataset = { id, split: "train", indices: [0, 1, 2] };
          const response = await api.post("/v1/embeddings", { checkpoint, dataset });
          // A file that is truncated at its end still has the images before that.
          if (response.status === 200) expect([part, title]).toEqual(["train-images.raw", "cut"]);
          else expect((await problemOf(response, 422)).errors[0].path).toBe("dataset");
        });
      }
    }
  }
  await t.step("jobs that were created before the damage fail with dataset_unusable", async () => {
    await using _runner = new TestRunner(api);
    for (const [title, id] of waiting) {
      const job: FinishedJob = await (await api.send(`/v1/jobs/${id}?wait=60`)).json();
      // Bytes after the last image are ignored.
      if (/pack is longer/.test(title)) {
        expect([title, job.status]).toEqual([title, "succeeded"]);
      } else expect([title, job.status, job.error?.code]).toEqual([title, "failed", "dataset_unusable"]);
    }
  });
});
