import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { gunzipSync } from "node:zlib";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import { idx } from "../../setup/uploads.ts";
import { TempStore } from "./fixtures.ts";
import { COLOUR, gz, IMAGES, images, labels, upload } from "./sixImages.ts";

Deno.test("IDX files with channels last become an RGB data set", async () => {
  await using temp = await TempStore.open();
  const colours = Uint8Array.from({ length: 2 * 2 * 2 * 3 }, (_, i) => i * 10);
  const info = await upload(temp, { train_images: gz(idx(COLOUR, [2, 2, 2, 3], colours)) }, { heldOut: 0 });
  expect(info).toMatchObject({ height: 2, width: 2, channels: 3, splits: { train: { count: 2 } } });
  const dataset = await new DatasetCatalogue(temp.store).open({ id: info.id });
  expect((await dataset.load("train", { imageSize: 2, channels: 3 })).pixels).toEqual(colours);
  expect((await dataset.load("train", { imageSize: 2, channels: 1 })).pixels.length).toBe(8);
});

Deno.test("images that are not square are cropped to their middle", async () => {
  await using temp = await TempStore.open();
  // The images are 2 high and 4 wide. The pixels of their middle square have the value 200.
  const wide = idx(IMAGES, [1, 2, 4], Uint8Array.of(0, 200, 200, 0, 0, 200, 200, 0));
  const info = await upload(temp, { train_images: wide });
  const dataset = await new DatasetCatalogue(temp.store).open({ id: info.id });
  const input = { imageSize: 2, channels: 1 } as const;
  expect([...(await dataset.read("train", [0], input)).pixels]).toEqual([200, 200, 200, 200]);
  expect((await dataset.load("test", input)).count).toBe(0);
});

Deno.test("the default name of a data set is the name of its first file without extensions", async () => {
  await using temp = await TempStore.open();
  const names: [filename: string, name: string][] = [
    ["i.idx3-ubyte", "i"],
    ["train-images-idx3-ubyte.gz", "train-images"],
    ["t10k-labels.idx1-ubyte.gz", "t10k-labels"],
    ["emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-images"],
    ["qmnist-train-labels-idx2-int.gz", "qmnist-train-labels"],
    ["digits-ubyte.gz", "digits"],
    ["pets.tar.gz", "pets"],
    ["pets.TGZ", "pets"],
    ["pets.zip", "pets"],
    ["my.zip.collection.tar", "my.zip.collection"],
    ["mnist.idx", "mnist"],
    ["plain", "plain"],
    [`${"a".repeat(127)}😀.idx3-ubyte`, "a".repeat(127)],
  ];
  for (const [filename, name] of names) {
    const [imageFile] = await temp.files({ train_images: images });
    expect((await createDataset([{ ...imageFile, filename }], {}, temp.store)).name).toBe(name);
  }
  for (const filename of ["", ".gz", "idx3-ubyte", "-idx3-ubyte.gz", ".tar.gz", " .zip"]) {
    const [imageFile] = await temp.files({ train_images: images });
    const info = await createDataset([{ ...imageFile, filename }], {}, temp.store);
    expect([filename, info.name === "" || info.name.startsWith(" ")]).toEqual([filename, false]);
  }
  const [file] = await temp.files({ train_images: images });
  const named = { ...file, filename: "letters-idx3.idx3.gz" };
  expect((await createDataset([named], {}, temp.store)).name).toBe("letters-idx3");
  const info = await createDataset(
    [named],
    { name: "Letters", createdAt: "2026-01-02T03:04:05Z" },
    temp.store,
  );
  expect(info).toMatchObject({ name: "Letters", source: "upload", createdAt: "2026-01-02T03:04:05Z" });
  expect(info.id).toMatch(/^ds_[0-9A-Z]{26}$/);
});

const folder = `${Deno.env.get("UNMASK_SHARED") ?? "../shared"}/data/mnist`;
const real = await Deno.stat(folder).then(() => true, () => false);
if (!real) console.warn(`skipped: tests with MNIST, because ${folder} is missing (set UNMASK_SHARED)`);

Deno.test({
  name: "the files of MNIST become a data set",
  ignore: !real,
  async fn() {
    await using temp = await TempStore.open();
    const file = (name: string) => Deno.readFileSync(`${folder}/${name}-ubyte.gz`);
    const info = await upload(temp, {
      train_images: file("train-images-idx3"),
      train_labels: file("train-labels-idx1"),
      test_images: file("t10k-images-idx3"),
      test_labels: file("t10k-labels-idx1"),
    });
    expect(info).toMatchObject({
      splits: { train: { count: 60_000 }, test: { count: 10_000 } },
      numClasses: 10,
      size: 70_000 * 785,
    });
    const dataset = await new DatasetCatalogue(temp.store).open({ id: info.id });
    const input = { imageSize: 28, channels: 1 } as const;
    const test = await dataset.load("test", input);
    expect(test.pixels).toEqual(new Uint8Array(gunzipSync(file("t10k-images-idx3"))).subarray(16));
    expect([...test.labels!.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const last = await dataset.read("train", [59_999, 0], input);
    expect([...last.labels!]).toEqual([8, 5]);
  },
});

const cut = (bytes: Bytes, count: number): Bytes => bytes.slice(0, -count);

Deno.test("an upload that fails at its last file leaves nothing, and other data sets stay", async () => {
  await using temp = await TempStore.open();
  const kept = await upload(temp, { train_images: images, train_labels: labels });
  const before = await temp.keys();
  const failing = { train_images: images, train_labels: labels, test_labels: labels };
  await expect(upload(temp, { ...failing, test_images: cut(images, 1) })).rejects.toMatchObject({
    field: "test_images",
  });
  expect(await temp.keys()).toEqual(before);
  expect((await new DatasetCatalogue(temp.store).info(kept.id)).id).toBe(kept.id);
});
