import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { idx, idxIntegers, qmnistLabels } from "../../setup/uploads.ts";
import { TempStore } from "./fixtures.ts";
import { append, gz, IMAGES, images, LABELS, pixels, upload } from "./sixImages.ts";

async function labelsOf(temp: TempStore, id: string, imageSize = 2): Promise<number[]> {
  const dataset = await new DatasetCatalogue(temp.store).open({ id });
  const { labels } = await dataset.load("train", { imageSize, channels: 1 });
  return [...labels!];
}

Deno.test("labels that begin at 1 or have gaps become classes named by their numbers", async (t) => {
  const tables: [string, number[], number[]][] = [
    ["from 1", [1, 2, 3, 1, 2, 3], [0, 1, 2, 0, 1, 2]],
    ["with gaps", [40, 7, 7, 0, 40, 0], [2, 1, 1, 0, 2, 0]],
    ["one alone", [9, 9, 9, 9, 9, 9], [0, 0, 0, 0, 0, 0]],
  ];
  for (const [title, values, indices] of tables) {
    await t.step(title, async () => {
      await using temp = await TempStore.open();
      const file = idx(LABELS, [6], Uint8Array.from(values));
      const info = await upload(temp, { train_images: images, train_labels: file }, { heldOut: 0 });
      const names = [...new Set(values)].sort((a, b) => a - b).map(String);
      expect([info.numClasses, info.classNames]).toEqual([names.length, names]);
      expect(await labelsOf(temp, info.id)).toEqual(indices);
      const [second] = [
        ...(await new DatasetCatalogue(temp.store).open({ id: info.id })
          .then((dataset) => dataset.read("train", [1], { imageSize: 2, channels: 1 }))).labels!,
      ];
      expect(second).toBe(indices[1]);
    });
  }
});

Deno.test("labels are read from every integer type, and from the first column of QMNIST's rows", async (t) => {
  const values = [3, 1, 2, 0, 1, 2];
  const files: [string, Bytes][] = [
    ["signed bytes", idxIntegers(0x901, 1, values)],
    ["16 bits", idxIntegers(0xb01, 2, values)],
    ["32 bits", idxIntegers(0xc01, 4, values)],
    ["one column", idxIntegers(0xc02, 4, values, 1)],
    ["QMNIST", qmnistLabels(values)],
    ["QMNIST gzipped", gz(qmnistLabels(values))],
  ];
  for (const [title, file] of files) {
    await t.step(title, async () => {
      await using temp = await TempStore.open();
      const info = await upload(temp, { train_images: images, train_labels: file }, { heldOut: 0 });
      expect(info.classNames).toEqual(["0", "1", "2", "3"]);
      expect(await labelsOf(temp, info.id)).toEqual(values);
    });
  }
});

Deno.test("more than 256 classes keep their labels", async () => {
  await using temp = await TempStore.open();
  const values = Array.from({ length: 20_000 }, (_, index) => (index * 7) % 300 * 200);
  const imageFile = idx(IMAGES, [20_000, 1, 1], new Uint8Array(20_000));
  const file = gz(idxIntegers(0xc01, 4, values));
  const info = await upload(temp, { train_images: imageFile, train_labels: file }, { heldOut: 0 });
  expect(info.numClasses).toBe(300);
  expect(info.size).toBe(20_000 * 3);
  expect(await labelsOf(temp, info.id, 1)).toEqual(values.map((value) => value / 200));
});

Deno.test("timers run while a large label file is read", async () => {
  await using temp = await TempStore.open();
  const count = 1_000_000;
  const imageFile = gz(idx(IMAGES, [count, 1, 1], new Uint8Array(count)));
  const file = gz(idx(LABELS, [count], Uint8Array.from({ length: count }, (_, index) => index % 7)));
  let ticks = 0;
  const timer = setInterval(() => ticks++, 0);
  const info = await upload(temp, { train_images: imageFile, train_labels: file });
  clearInterval(timer);
  expect(info.numClasses).toBe(7);
  expect(ticks).toBeGreaterThan(10);
});

Deno.test("gzip files with zero padding or several members are read completely", async (t) => {
  const half = Math.floor(images.length / 2);
  const members = Uint8Array.from([...gz(images.slice(0, half)), ...gz(images.slice(half))]);
  const files: [string, Bytes][] = [
    ["one zero", append(gz(images), 0)],
    ["a tape's block", append(gz(images), ...new Array(20_480).fill(0))],
    ["more than a stream's buffer", Uint8Array.from([...gz(images), ...new Uint8Array(300_000)])],
    ["two members", members],
    ["two members, padded", append(members, 0, 0, 0)],
  ];
  for (const [title, file] of files) {
    await t.step(title, async () => {
      await using temp = await TempStore.open();
      const { id } = await upload(temp, { train_images: file }, { heldOut: 0 });
      const [key] = (await temp.keys()).filter((key) => key.endsWith("train-images.raw"));
      expect(key).toContain(id);
      const stored = await new Response((await temp.store.get(key)).body).bytes();
      expect(new Uint8Array(stored)).toEqual(pixels);
    });
  }
});
