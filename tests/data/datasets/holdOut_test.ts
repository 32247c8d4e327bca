import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import type { SplitName } from "../../../data/datasets/dataset.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import type { UploadOptions } from "../../../data/datasets/upload/uploadOptions.ts";
import { flat } from "../../setup/archives.ts";
import { idx } from "../../setup/uploads.ts";
import { zipOf } from "../../setup/zip.ts";
import { TempStore } from "./fixtures.ts";

const INPUT = { imageSize: 2, channels: 1 } as const;

/** Every image has a single pixel value, which is its index in the upload. */
type Kind = (sizes: readonly number[]) => Promise<Readonly<Record<string, Bytes>>>;

const labelsOf = (sizes: readonly number[]) =>
  sizes.flatMap((size, label) => new Array<number>(size).fill(label));

const archive: Kind = async (sizes) => ({
  archive: zipOf(
    await Promise.all(
      labelsOf(sizes).map(async (label, index) => ({
        name: `c${label}/${String(index).padStart(4, "0")}.png`,
        bytes: await flat(index, 2),
      })),
    ),
  ),
});

const files: Kind = (sizes) => {
  const labels = labelsOf(sizes);
  const pixels = Uint8Array.from({ length: labels.length * 4 }, (_, i) => Math.floor(i / 4));
  return Promise.resolve({
    train_images: idx(0x803, [labels.length, 2, 2], pixels),
    train_labels: idx(0x801, [labels.length], Uint8Array.from(labels)),
  });
};

const KINDS: readonly (readonly [string, Kind])[] = [["an archive", archive], ["IDX files", files]];

/** Returns the indices and labels of the images of both splits. */
async function splitsOf(temp: TempStore, parts: Readonly<Record<string, Bytes>>, options: UploadOptions) {
  const info = await createDataset(await temp.files(parts), options, temp.store);
  const dataset = await new DatasetCatalogue(temp.store).open({ id: info.id });
  const rows = async (split: SplitName) => {
    const set = await dataset.load(split, INPUT);
    expect(set.count).toBe(info.splits[split].count);
    const found = Array.from(
      { length: set.count },
      (_, row) => ({ index: set.pixels[row * 4], label: set.labels![row] }),
    );
    const read = set.count === 0 ? null : await dataset.read(split, [set.count - 1], INPUT);
    if (read) expect([read.pixels[0], read.labels![0]]).toEqual([found.at(-1)!.index, found.at(-1)!.label]);
    return found;
  };
  return { info, train: await rows("train"), test: await rows("test") };
}

const counts = (rows: readonly { label: number }[], classes: number) =>
  Array.from({ length: classes }, (_, label) => rows.filter((row) => row.label === label).length);

Deno.test("the hold-out is stratified, and every class keeps a training image", async (t) => {
  const cases: [sizes: number[], share: number, held: number][] = [
    [[2, 2, 2, 2, 2, 2, 2, 2, 2, 2], 0.5, 10],
    [[40, 20, 10], 0.1, 7],
    [[100, 1, 1], 0.5, 51],
    [[20, 20], 0.15, 6],
    [[5, 5, 5, 5], 0.1, 2],
    [[1, 1, 1], 0.5, 0],
  ];
  for (const [title, kind] of KINDS) {
    for (const [sizes, share, held] of cases) {
      await t.step(`${title}: ${share} of ${sizes.slice(0, 4)}`, async () => {
        await using temp = await TempStore.open();
        const { train, test } = await splitsOf(temp, await kind(sizes), { heldOut: share });
        expect(test.length).toBe(held);
        const labels = labelsOf(sizes);
        const all = [...train, ...test].sort((a, b) => a.index - b.index);
        expect(all).toEqual(labels.map((label, index) => ({ index, label })));
        expect(Math.min(...counts(train, sizes.length))).toBeGreaterThan(0);
        for (const [label, count] of counts(test, sizes.length).entries()) {
          const max = sizes[label] - 1, exact = share * sizes[label];
          expect(count).toBeGreaterThanOrEqual(Math.min(max, Math.floor(exact)));
          // A class exceeds its rounded share only if other classes are too small for theirs.
          if (!sizes.includes(1)) expect(count).toBeLessThanOrEqual(Math.ceil(exact));
        }
      });
    }
  }
});

Deno.test("the hold-out depends only on the seed", async () => {
  for (const [, kind] of KINDS) {
    await using temp = await TempStore.open();
    const parts = await kind([30, 30]);
    const test = async (seed: number) => (await splitsOf(temp, parts, { heldOut: 0.2, seed })).test;
    const first = await test(1);
    expect(await test(1)).toEqual(first);
    expect(await test(2)).not.toEqual(first);
    expect(counts(first, 2)).toEqual([6, 6]);
  }
});

Deno.test("a class with a single image stays in training, and a note reports it", async () => {
  for (const [title, kind] of KINDS) {
    await using temp = await TempStore.open();
    const { info, train } = await splitsOf(temp, await kind([10, 1]), { heldOut: 0.5 });
    expect(counts(train, 2)[1]).toBe(1);
    const name = title === "an archive" ? "c1" : "1";
    expect(info.notes).toEqual([
      expect.stringMatching(new RegExp(`single image \\('${name}'\\) are only in the training split`)),
    ]);
  }
});

Deno.test("a data set of an earlier version keeps its splits", async () => {
  await using temp = await TempStore.open();
  const id = "ds_01JD0000000000000000000000";
  const put = (name: string, bytes: Bytes) => temp.store.put(`datasets/${id}/${name}`, bytes);
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  await put("train-images.raw", Uint8Array.from({ length: 80 }, (_, i) => Math.floor(i / 4)));
  await put("train-labels.raw", Uint8Array.from({ length: 20 }, (_, i) => i % 2));
  const info = {
    ...{ id, name: "old", source: "upload", format: "raw", height: 2, width: 2, channels: 1, labelled: true },
    ...{ splits: { train: { count: 15 }, test: { count: 5 } }, num_classes: 2, class_names: ["0", "1"] },
    ...{ size: 100, created_at: "2026-01-01T00:00:00.000Z" },
  };
  const key = (name: string) => `datasets/${id}/${name}`;
  const train = { count: 20, images: key("train-images.raw"), labels: key("train-labels.raw") };
  await put(
    "meta.json",
    json({ info, storage: { kind: "raw", train, test: null, held_out: { count: 5, seed: 3 } } }),
  );
  const dataset = await new DatasetCatalogue(temp.store).open({ id });
  const test = await dataset.load("test", INPUT);
  // The earlier version held out the first five images of the permutation of seed 3.
  expect([...test.labels!].map((label, row) => [test.pixels[row * 4], label])).toEqual(OLD_TEST);
  expect((await dataset.load("train", INPUT)).count).toBe(15);
});

/** Index and label of an image. */
const OLD_TEST: readonly (readonly [number, number])[] = [[3, 1], [12, 0], [15, 1], [16, 0], [17, 1]];
