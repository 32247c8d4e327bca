import { expect } from "expect";
import { drawDigit } from "../../data/datasets/builtIn/drawDigit.ts";
import { decodeImage } from "../../data/images/decodeImage.ts";
import { idx, idxDigits, pngDigit, tarGz } from "../setup/uploads.ts";
import { zipOf } from "../setup/zip.ts";
import { problemOf, TestApi } from "./fixtures.ts";

interface DatasetBody {
  readonly id: string;
  readonly splits: { readonly train: { readonly count: number }; readonly test: { readonly count: number } };
}

async function created(response: Response): Promise<DatasetBody & Record<string, unknown>> {
  const text = await response.text();
  expect({ status: response.status, text }).toMatchObject({ status: 201 });
  return JSON.parse(text);
}

/** Returns the input images of a model: the originals of its reconstructions, `[28 * 28]` each. */
async function modelInputs(api: TestApi, checkpoint: string, dataset: object): Promise<Uint8Array[]> {
  const response = await api.post("/v1/reconstructions", { checkpoint, dataset, include: ["images"] });
  const { data } = await response.json() as { data: { images: { original: string } }[] };
  return await Promise.all(
    data.map(({ images }) =>
      decodeImage(Uint8Array.fromBase64(images.original), { imageSize: 28, channels: 1 })
    ),
  );
}

const withDigits = async (paths: readonly string[]) =>
  Object.fromEntries(await Promise.all(paths.map(async (path, i) => [path, await pngDigit(i)] as const)));

Deno.test("IDX files become a data set that can be read, listed, used by a model and deleted", async () => {
  await using api = await TestApi.open();
  const train = idxDigits(20, "train"), test = idxDigits(10, "test");
  const response = await api.upload({
    train_images: train.images,
    train_labels: train.labels,
    test_images: test.images,
    test_labels: test.labels,
  }, { name: "Ziffern ✎" });
  expect(response.headers.get("location")).toMatch(/^\/v1\/datasets\/ds_[0-9A-Z]{26}$/);
  const location = response.headers.get("location")!;
  const dataset = await created(response);
  expect(dataset).toEqual({
    id: location.slice("/v1/datasets/".length),
    name: "Ziffern ✎",
    source: "upload",
    format: "raw",
    height: 28,
    width: 28,
    channels: 1,
    splits: { train: { count: 20 }, test: { count: 10 } },
    labelled: true,
    num_classes: 10,
    class_names: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    resize: "crop",
    background: "none",
    notes: [],
    layout: null,
    size: 30 * 785,
    created_at: expect.stringMatching(/Z$/),
  });
  expect(await (await api.send(location)).json()).toEqual(dataset);
  expect((await (await api.send("/v1/datasets")).json()).data).toContainEqual(dataset);
  expect((await api.traces()).filter((trace) => trace.startsWith("upload"))).toEqual([]);

  const mae = await api.model();
  // Index 3 is the first test digit with label 3.
  const three = Array.from({ length: 200 }, (_, i) => drawDigit(1, "test", i)).find(({ label }) =>
    label === 3
  )!;
  expect(await modelInputs(api, mae.id, { id: dataset.id, indices: [3] })).toEqual([three.pixels]);

  expect((await api.send(location, { method: "DELETE" })).status).toBe(204);
  for (const method of ["GET", "DELETE"]) await problemOf(await api.send(location, { method }), 404);
  expect((await api.traces()).filter((trace) => trace.startsWith("object datasets"))).toEqual([]);
  const job = await api.post("/v1/jobs", { kind: "pretrain", dataset: dataset.id });
  expect((await problemOf(job, 422)).errors.map((error) => error.path)).toEqual(["dataset"]);
});

Deno.test("images in a tar or zip archive become a data set, with folders as classes", async (t) => {
  await using api = await TestApi.open();
  const mae = await api.model();
  const files = await withDigits(["cat/a.png", "cat/b.png", "dog/c.png", "dog/d.png"]);
  const zip = zipOf(Object.entries(files).map(([name, bytes]) => ({ name, bytes, deflated: true })));
  for (const [kind, archive] of [["tar.gz", await tarGz(files)], ["zip", zip]] as const) {
    await t.step(kind, async () => {
      const dataset = await created(await api.upload({ archive }, { held_out: "0" }, `pets.${kind}`));
      expect(dataset).toMatchObject({
        name: "pets",
        format: "encoded",
        height: 28,
        width: 28,
        channels: 1,
        splits: { train: { count: 4 }, test: { count: 0 } },
        labelled: true,
        num_classes: 2,
        class_names: ["cat", "dog"],
      });
      const inputs = await modelInputs(api, mae.id, { id: dataset.id, split: "train", indices: [3, 0, 0] });
      expect(inputs).toEqual([3, 0, 0].map((index) => drawDigit(1, "test", index).pixels));
    });
  }
});

Deno.test("the hold-out has the requested size, and is the same for the same seed", async () => {
  await using api = await TestApi.open();
  const { images } = idxDigits(20, "train");
  const counts = async (fields: Record<string, string>) => {
    const { splits } = await created(await api.upload({ train_images: images }, fields));
    return [splits.train.count, splits.test.count];
  };
  expect(await counts({})).toEqual([18, 2]);
  expect(await counts({ held_out: "0.5" })).toEqual([10, 10]);
  expect(await counts({ held_out: "0" })).toEqual([20, 0]);

  const mae = await api.model();
  const heldOut = async (seed: string) => {
    const { id } = await created(await api.upload({ train_images: images }, { held_out: ".5", seed }));
    return await modelInputs(api, mae.id, { id, indices: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] });
  };
  const first = await heldOut("1");
  expect(await heldOut("1")).toEqual(first);
  expect(await heldOut("2")).not.toEqual(first);
});

Deno.test("data sets are listed in pages: the built-in ones, then uploads from the oldest to the newest", async () => {
  await using api = await TestApi.open();
  const image = idx(0x803, [2, 2, 2], new Uint8Array(8));
  const uploads: string[] = [];
  for (let i = 0; i < 3; i++) uploads.push((await created(await api.upload({ train_images: image }))).id);
  const expected = ["digits", "mnist", "fashion-mnist", ...uploads.sort()];
  const found: string[] = [];
  for (let after: string | null = "", more = true; more;) {
    const page: { data: { id: string }[]; has_more: boolean; next: string | null } =
      await (await api.send(`/v1/datasets?limit=2${after && `&after=${after}`}`)).json();
    expect(page.data.length).toBe(2);
    found.push(...page.data.map(({ id }) => id));
    more = page.has_more;
    after = page.next;
  }
  expect(found).toEqual(expected);
  // Paging continues after a data set that was deleted in the meantime.
  await api.send(`/v1/datasets/${uploads[0]}`, { method: "DELETE" });
  const rest = await (await api.send(`/v1/datasets?after=${uploads[0]}`)).json();
  expect(rest.data.map(({ id }: { id: string }) => id)).toEqual(uploads.slice(1));
});

Deno.test("a data set that is built in, or used by an unfinished job, cannot be deleted", async () => {
  await using api = await TestApi.open();
  for (const id of ["digits", "mnist", "fashion-mnist"]) {
    const path = `/v1/datasets/${id}`;
    expect((await problemOf(await api.send(path, { method: "DELETE" }), 409)).detail).toContain("built in");
    expect((await api.send(path)).status).toBe(200);
  }
  const { images, labels } = idxDigits(20, "train");
  const { id } = await created(await api.upload({ train_images: images, train_labels: labels }));
  const job = await api.job({ dataset: id, batch_size: 4 });
  const remove = () => api.send(`/v1/datasets/${id}`, { method: "DELETE" });
  expect((await problemOf(await remove(), 409)).detail).toContain(job);
  await api.send(`/v1/jobs/${job}/cancel`, { method: "POST" });
  expect((await remove()).status).toBe(204);
});

Deno.test("a repeated request with its Idempotency-Key returns its job even if the data set was deleted", async () => {
  await using api = await TestApi.open();
  const { images, labels } = idxDigits(20, "train");
  const { id } = await created(await api.upload({ train_images: images, train_labels: labels }));
  const body = { kind: "pretrain", dataset: id, batch_size: 4 }, key = { "idempotency-key": "again" };
  const job = await (await api.post("/v1/jobs", body, key)).json();
  await api.send(`/v1/jobs/${job.id}/cancel`, { method: "POST" });
  expect((await api.send(`/v1/datasets/${id}`, { method: "DELETE" })).status).toBe(204);
  const again = await api.post("/v1/jobs", body, key);
  expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
  expect((await again.json()).id).toBe(job.id);
  await problemOf(await api.post("/v1/jobs", { ...body, epochs: 2 }, key), 422);
  await problemOf(await api.post("/v1/jobs", body), 422);
});

Deno.test("the response reports how an archive was read, and a field resolves an ambiguous archive", async () => {
  await using api = await TestApi.open();
  const paths = ["train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "test/dog/4.png", "README.md"];
  const files = { ...await withDigits(paths), "README.md": new TextEncoder().encode("Cats and dogs.") };
  const archive = await tarGz(files);
  const { layout, notes, id } = await created(await api.upload({ archive }));
  expect(layout).toEqual({
    folders: [
      { folder: "test", split: "test", count: 1 },
      { folder: "train", split: "train", count: 2 },
      { folder: "val", split: "test", count: 1 },
    ],
    passed_over: [{ reason: "not_an_image", count: 1, example: "README.md" }],
  });
  expect(notes).toEqual([expect.stringMatching(/'test', 'val'.*one split/)]);
  expect(await (await api.send(`/v1/datasets/${id}`)).json()).toMatchObject({ layout, notes });

  const mixed = await tarGz(await withDigits([...paths.slice(0, 4), "samples/a.png"]));
  const { errors } = await problemOf(await api.upload({ archive: mixed }), 422);
  expect(errors).toEqual([{
    path: "archive",
    message: expect.stringMatching(/'samples'.*folders=splits.*=classes/),
  }]);
  const splits = await created(await api.upload({ archive: mixed }, { folders: "splits" }));
  expect([splits.class_names, splits.splits]).toEqual([["cat", "dog"], {
    train: { count: 2 },
    test: { count: 2 },
  }]);
  const classes = await created(await api.upload({ archive: mixed }, { folders: "classes", held_out: "0" }));
  expect(classes.class_names).toEqual(["samples", "test", "train", "val"]);
  const wrong = await problemOf(await api.upload({ archive: mixed }, { folders: "some" }), 422);
  expect(wrong.errors.map(({ path }) => path)).toEqual(["folders"]);
});

Deno.test("an archive may have a file name in any script", async () => {
  await using api = await TestApi.open();
  const archive = await tarGz(await withDigits(["می\u200cخواهم/1.png", "क्\u200dष/2.png"]));
  for (const name of ["می\u200cخواهم", "क्\u200dष", "👩\u200d🌾 ❤️"]) {
    const dataset = await created(await api.upload({ archive }, { held_out: "0" }, `${name}.tar.gz`));
    expect(dataset).toMatchObject({ name, class_names: ["क्\u200dष", "می\u200cخواهم"].toSorted() });
  }
});
