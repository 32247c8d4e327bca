import { expect } from "expect";
import { BUILT_IN, DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { DatasetNotFoundError } from "../../../data/datasets/dataset.ts";
import { StoredDataset } from "../../../data/datasets/stored/storedDataset.ts";
import { readManifest } from "../../../data/datasets/stored/manifest.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import { StorageUnavailableError } from "../../../data/objects/store.ts";
import { idx, idxDigits } from "../../setup/uploads.ts";
import { TempStore } from "./fixtures.ts";

const HOUR = 3_600_000;
const INPUT = { imageSize: 2, channels: 1 } as const;
const tiny = idx(0x803, [2, 2, 2], Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
const id = (letter: string) => `ds_${letter.repeat(26)}`;

/** Opens a store with uploads of these ids, and its catalogue. */
async function openFixture(...ids: string[]) {
  const temp = await TempStore.open();
  for (const id of ids) {
    const files = await temp.files({ train_images: tiny });
    await createDataset(files, { id, name: `set ${id[3]}`, heldOut: 0 }, temp.store);
  }
  return {
    temp,
    catalogue: new DatasetCatalogue(temp.store),
    [Symbol.asyncDispose]: async () => await temp[Symbol.asyncDispose](),
  };
}

Deno.test("pages of any length have the same list: the built-in data sets, then uploads by age", async () => {
  await using fixture = await openFixture(id("C"), id("A"), id("B"));
  const all = [...BUILT_IN, id("A"), id("B"), id("C")];
  for (let limit = 1; limit <= all.length + 1; limit++) {
    const pages: string[][] = [];
    for (let after: string | undefined, more = true; more;) {
      const { data, hasMore } = await fixture.catalogue.list({ limit, after });
      pages.push(data.map(({ id }) => id));
      after = pages.at(-1)!.at(-1);
      more = hasMore;
    }
    expect(pages.flat()).toEqual(all);
    expect(pages.length).toBe(Math.ceil(all.length / limit));
  }
  expect((await fixture.catalogue.list()).data.length).toBe(all.length);
});

Deno.test("a page after a deleted data set continues at its position", async () => {
  await using fixture = await openFixture(id("A"), id("B"), id("C"));
  await fixture.catalogue.delete(id("B"));
  const after = async (id: string) => (await fixture.catalogue.list({ after: id })).data.map(({ id }) => id);
  expect(await after(id("B"))).toEqual([id("C")]);
  expect(await after(id("A"))).toEqual([id("C")]);
  expect(await after(id("C"))).toEqual([]);
  expect(await after(id("Z"))).toEqual([]);
});

Deno.test("the description of a data set is the same in the list, by id and when opened", async () => {
  await using fixture = await openFixture(id("A"));
  const info = await fixture.catalogue.info(id("A"));
  expect(info).toMatchObject({ id: id("A"), name: "set A", height: 2, splits: { train: { count: 2 } } });
  expect((await fixture.catalogue.list()).data.at(-1)).toEqual(info);
  const dataset = await fixture.catalogue.open({ id: id("A") });
  expect(dataset.info).toEqual(info);
  expect([...(await dataset.read("train", [1], INPUT)).pixels]).toEqual([5, 6, 7, 8]);
  expect(await fixture.catalogue.info("digits")).toMatchObject({ source: "builtin", name: "Drawn digits" });
  expect(await fixture.catalogue.info("mnist")).toMatchObject({ source: "builtin", name: "MNIST" });
});

Deno.test("digits have the requested size and seed", async () => {
  await using fixture = await openFixture();
  const load = async (size: number, seed?: number) =>
    await (await fixture.catalogue.open({ id: "digits", size, seed })).load("train", {
      imageSize: 28,
      channels: 1,
    });
  expect((await load(3)).count).toBe(3);
  expect((await load(3)).pixels).toEqual((await load(3, 0)).pixels);
  expect((await load(3, 1)).pixels).not.toEqual((await load(3, 0)).pixels);
});

Deno.test("unknown ids are not found, and built-in data sets cannot be deleted", async () => {
  await using fixture = await openFixture(id("A"));
  const unknown = [
    "",
    "cifar",
    "Digits",
    "constructor",
    "__proto__",
    id("Z"),
    id("a"),
    `${id("A")}A`,
    "ds_..",
    "../A",
    `${id("A")}/meta.json`,
  ];
  for (const id of unknown) {
    for (
      const call of [
        () => fixture.catalogue.info(id),
        () => fixture.catalogue.open({ id }),
        () => fixture.catalogue.delete(id),
      ]
    ) {
      const error = await call().then(() => null, (error) => error);
      expect([id, error]).toEqual([id, expect.any(DatasetNotFoundError)]);
      expect(error.id).toBe(id);
    }
  }
  for (const id of BUILT_IN) await expect(fixture.catalogue.delete(id)).rejects.toThrow(DatasetNotFoundError);
  expect((await fixture.catalogue.list()).data.length).toBe(BUILT_IN.length + 1);
});

Deno.test("all objects of a deleted data set are removed, and no others", async () => {
  await using fixture = await openFixture(id("A"), id("B"));
  const open = await fixture.catalogue.open({ id: id("A") });
  await fixture.catalogue.delete(id("A"));
  for (const key of await fixture.temp.keys()) expect(key).toContain(id("B"));
  await expect(fixture.catalogue.delete(id("A"))).rejects.toThrow(DatasetNotFoundError);
  await expect(open.read("train", [0], INPUT)).rejects.toThrow();
  expect((await fixture.catalogue.info(id("B"))).id).toBe(id("B"));
});

Deno.test("the sweep removes only uploads that were abandoned hours ago", async () => {
  await using fixture = await openFixture(id("A"));
  const { store } = fixture.temp;
  const abandoned = [`datasets/${id("X")}/train-images.raw`, `datasets/${id("X")}/train-labels.raw`];
  const others = ["datasets/mnist/train-images.raw", "checkpoints/ds_like", "jobs/ds_1/state"];
  for (const key of [...abandoned, ...others]) await store.put(key, Uint8Array.of(1));
  const before = await fixture.temp.keys();

  expect(await fixture.catalogue.sweep()).toEqual([]);
  expect(await fixture.catalogue.sweep(Date.now() + 1.5 * HOUR)).toEqual([]);
  expect(await fixture.temp.keys()).toEqual(before);

  expect(await fixture.catalogue.sweep(Date.now() + 2.5 * HOUR)).toEqual([id("X")]);
  expect((await fixture.temp.keys()).sort()).toEqual(before.filter((key) => !abandoned.includes(key)).sort());
  expect(await fixture.catalogue.sweep(Date.now() + 2.5 * HOUR)).toEqual([]);
  expect((await (await fixture.catalogue.open({ id: id("A") })).load("train", INPUT)).count).toBe(2);
});

Deno.test("an incomplete upload is not in the catalogue", async () => {
  await using fixture = await openFixture();
  const { store } = fixture.temp;
  const counts: number[] = [];
  const countingStore = new Proxy(store, {
    get(target, name) {
      if (name !== "put") return Reflect.get(target, name).bind(target);
      return async (...put: Parameters<typeof target.put>) => {
        counts.push((await fixture.catalogue.list()).data.length);
        return await target.put(...put);
      };
    },
  });
  const { images, labels } = idxDigits(10, "train");
  const files = await fixture.temp.files({ train_images: images, train_labels: labels });
  const { id } = await createDataset(files, {}, countingStore);
  expect(counts).toEqual(new Array(counts.length).fill(BUILT_IN.length));
  expect(counts.length).toBe(4);
  expect((await fixture.catalogue.info(id)).id).toBe(id);
});

Deno.test("damaged objects are reported", async (t) => {
  const manifest = `datasets/${id("A")}/meta.json`, pixels = `datasets/${id("A")}/train-images.raw`;
  for (const [title, text] of [["no JSON", "{"], ["no description", '{"info":{}}'], ["nothing", ""]]) {
    await t.step(`a description that is ${title}`, async () => {
      await using fixture = await openFixture(id("A"));
      await fixture.temp.store.put(manifest, new TextEncoder().encode(text));
      await expect(fixture.catalogue.open({ id: id("A") })).rejects.toMatchObject({
        name: "DatasetError",
        message: expect.stringContaining(`'${id("A")}' is damaged`),
      });
    });
  }
  await t.step("truncated pixels", async () => {
    await using fixture = await openFixture(id("A"));
    await fixture.temp.store.put(pixels, new Uint8Array(7));
    const dataset = await fixture.catalogue.open({ id: id("A") });
    await expect(dataset.load("train", INPUT)).rejects.toThrow("is damaged");
    await expect(dataset.read("train", [1], INPUT)).rejects.toThrow("is damaged");
    expect([...(await dataset.read("train", [0], INPUT)).pixels]).toEqual([0, 0, 0, 0]);
  });
});

Deno.test("a page reads few other manifests, and several concurrently", async () => {
  const ids = Array.from({ length: 30 }, (_, i) => `ds_${String(i).padStart(26, "0")}`);
  await using fixture = await openFixture(...ids);
  const { store } = fixture.temp;
  let read = 0, listed = 0, concurrent = 0, maxConcurrent = 0;
  const countingStore = new Proxy(store, {
    get(target, name) {
      if (name === "get") {
        return async (key: string) => {
          read++;
          maxConcurrent = Math.max(maxConcurrent, ++concurrent);
          return await target.get(key).finally(() => concurrent--);
        };
      }
      if (name === "list") {
        return async function* (prefix: string, options?: { after?: string }) {
          for await (const info of target.list(prefix, options)) {
            listed++;
            yield info;
          }
        };
      }
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const catalogue = new DatasetCatalogue(countingStore);
  for (const after of ["fashion-mnist", ids[3], ids[20]]) {
    [read, listed] = [0, 0];
    const { data } = await catalogue.list({ limit: 4, after });
    expect(data.map(({ id }) => id)).toEqual(ids.slice(ids.indexOf(after) + 1).slice(0, 4));
    expect(read).toBeLessThanOrEqual(8);
    // Each data set has two objects.
    expect(listed).toBeLessThanOrEqual(2 * 9);
  }
  expect(maxConcurrent).toBeGreaterThan(1);
});

Deno.test("an outage of storage is not reported as damage", async () => {
  await using fixture = await openFixture(id("A"));
  const outage = new StorageUnavailableError("Object storage does not respond");
  const store = new Proxy(fixture.temp.store, {
    get(target, name) {
      if (name === "get" || name === "head") return () => Promise.reject(outage);
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const catalogue = new DatasetCatalogue(store);
  const open = new StoredDataset(store, (await readManifest(fixture.temp.store, id("A")))!);
  const calls = {
    list: () => catalogue.list(),
    info: () => catalogue.info(id("A")),
    verify: () => catalogue.verify(id("A")),
    open: () => catalogue.open({ id: id("A") }),
    delete: () => catalogue.delete(id("A")),
    load: () => open.load("train", INPUT),
    read: () => open.read("train", [0], INPUT),
  };
  for (const [name, call] of Object.entries(calls)) {
    expect([name, await call().then(() => null, (error) => error)]).toEqual([name, outage]);
  }
});
