import { expect } from "expect";
import { gunzipSync, gzipSync } from "node:zlib";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import type { DatasetError } from "../../../data/datasets/dataset.ts";
import { createDataset } from "../../../data/datasets/upload.ts";
import type { UploadOptions } from "../../../data/datasets/uploaded.ts";
import { type Bytes, idx } from "../../setup/uploads.ts";
import { Shelf } from "./fixtures.ts";

const IMAGES = 0x803, COLOUR = 0x804, LABELS = 0x801;
const gz = (bytes: Uint8Array): Bytes => new Uint8Array(gzipSync(bytes));

/** Six pictures of 2 x 3, every pixel of its own value, of the classes 0, 1, 2, 0, 1, 2. */
const pixels = Uint8Array.from({ length: 36 }, (_, i) => i * 7);
const images = idx(IMAGES, [6, 2, 3], pixels);
const labels = idx(LABELS, [6], Uint8Array.of(0, 1, 2, 0, 1, 2));

const upload = async (shelf: Shelf, parts: Record<string, Bytes>, options: UploadOptions = {}) =>
  await createDataset(await shelf.files(parts), options, shelf.store);

Deno.test("IDX files in colour become an RGB data set, its channels last", async () => {
  await using shelf = await Shelf.open();
  const colours = Uint8Array.from({ length: 2 * 2 * 2 * 3 }, (_, i) => i * 10);
  const info = await upload(shelf, { train_images: gz(idx(COLOUR, [2, 2, 2, 3], colours)) }, { heldOut: 0 });
  expect(info).toMatchObject({ height: 2, width: 2, channels: 3, splits: { train: { count: 2 } } });
  const dataset = await new DatasetCatalogue(shelf.store).open({ id: info.id });
  expect((await dataset.load("train", { imageSize: 2, channels: 3 })).pixels).toEqual(colours);
  expect((await dataset.load("train", { imageSize: 2, channels: 1 })).pixels.length).toBe(8);
});

Deno.test("pictures that are not square are cut to their middle", async () => {
  await using shelf = await Shelf.open();
  // 2 high, 4 wide; the middle is 200.
  const wide = idx(IMAGES, [1, 2, 4], Uint8Array.of(0, 200, 200, 0, 0, 200, 200, 0));
  const info = await upload(shelf, { train_images: wide });
  const dataset = await new DatasetCatalogue(shelf.store).open({ id: info.id });
  const form = { imageSize: 2, channels: 1 } as const;
  expect([...(await dataset.read("train", [0], form)).pixels]).toEqual([200, 200, 200, 200]);
  expect((await dataset.load("test", form)).count).toBe(0);
});

Deno.test("without a name a data set is called as its first file, without its endings", async () => {
  await using shelf = await Shelf.open();
  const [file] = await shelf.files({ train_images: images });
  const named = { ...file, filename: "letters-idx3.idx3.gz" };
  expect((await createDataset([named], {}, shelf.store)).name).toBe("letters-idx3");
  const info = await createDataset(
    [named],
    { name: "Letters", createdAt: "2026-01-02T03:04:05Z" },
    shelf.store,
  );
  expect(info).toMatchObject({ name: "Letters", source: "upload", createdAt: "2026-01-02T03:04:05Z" });
  expect(info.id).toMatch(/^ds_[0-9A-Z]{26}$/);
});

const folder = `${Deno.env.get("UNMASK_SHARED") ?? "../shared"}/data/mnist`;
const real = await Deno.stat(folder).then(() => true, () => false);
if (!real) console.warn(`skipped: what needs MNIST, as ${folder} is not there (set UNMASK_SHARED)`);

Deno.test({
  name: "MNIST's own files become a data set",
  ignore: !real,
  async fn() {
    await using shelf = await Shelf.open();
    const file = (name: string) => Deno.readFileSync(`${folder}/${name}-ubyte.gz`);
    const info = await upload(shelf, {
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
    const dataset = await new DatasetCatalogue(shelf.store).open({ id: info.id });
    const form = { imageSize: 28, channels: 1 } as const;
    const test = await dataset.load("test", form);
    expect(test.pixels).toEqual(new Uint8Array(gunzipSync(file("t10k-images-idx3"))).subarray(16));
    expect([...test.labels!.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    const last = await dataset.read("train", [59_999, 0], form);
    expect([...last.labels!]).toEqual([8, 5]);
  },
});

const NEGATIVE = 0xffffffff;
const cut = (bytes: Bytes, count: number): Bytes => bytes.slice(0, -count);
const and = (bytes: Bytes, ...more: number[]): Bytes => Uint8Array.from([...bytes, ...more]);

const REFUSED: [what: string, parts: Record<string, Bytes>, field: string, says: RegExp][] = [
  ["no bytes", { train_images: new Uint8Array(0) }, "train_images", /too short/],
  ["three bytes", { train_images: Uint8Array.of(0, 0, 8) }, "train_images", /too short/],
  ["half a header", { train_images: images.slice(0, 10) }, "train_images", /inside its header/],
  [
    "half a header in colour",
    { train_images: idx(COLOUR, [1, 2, 2], Uint8Array.of(0)) },
    "train_images",
    /inside its header/,
  ],
  [
    "half a label header",
    { train_images: images, train_labels: labels.slice(0, 6) },
    "train_labels",
    /header/,
  ],
  [
    "another magic number",
    { train_images: idx(0xd03, [6, 2, 3], pixels) },
    "train_images",
    /begins with 0x00000d03/,
  ],
  [
    "a picture",
    { train_images: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10) },
    "train_images",
    /IDX/,
  ],
  ["labels as pictures", { train_images: labels }, "train_images", /0x00000803.*it is a label file/],
  [
    "pictures as labels",
    { train_images: images, train_labels: images },
    "train_labels",
    /0x00000801.*it is an image file/,
  ],
  ["a byte too few", { train_images: cut(images, 1) }, "train_images", /35 bytes.*declares 36/],
  ["a byte too many", { train_images: and(images, 0) }, "train_images", /longer than the 36 bytes/],
  ["no pixels", { train_images: images.slice(0, 16) }, "train_images", /0 bytes.*declares 36/],
  ["labels too few", { train_images: images, train_labels: cut(labels, 1) }, "train_labels", /declares 6/],
  ["labels too many", { train_images: images, train_labels: and(labels, 0) }, "train_labels", /longer than/],
  ["gzip within gzip", { train_images: gz(gz(images)) }, "train_images", /gzipped twice/],
  ["labels twice gzipped", { train_images: images, train_labels: gz(gz(labels)) }, "train_labels", /twice/],
  ["bytes after the gzip data", { train_images: and(gz(images), 1, 2, 3) }, "train_images", /gzip/],
  ["zeros after the gzip data", { train_images: and(gz(images), 0, 0, 0) }, "train_images", /gzip/],
  ["gzip cut in its header", { train_images: gz(images).slice(0, 5) }, "train_images", /gzip/],
  ["gzip cut in its data", { train_images: cut(gz(images), 20) }, "train_images", /gzip/],
  ["gzip cut in its checksum", { train_images: cut(gz(images), 1) }, "train_images", /gzip/],
  [
    "a wrong gzip checksum",
    { train_images: gz(images).map((byte, i, all) => i === all.length - 8 ? byte ^ 1 : byte) },
    "train_images",
    /gzip/,
  ],
  [
    "fewer labels than pictures",
    { train_images: images, train_labels: idx(LABELS, [5], Uint8Array.of(0, 1, 2, 0, 1)) },
    "train_labels",
    /5 labels for the 6 pictures of train_images/,
  ],
  [
    "fewer test labels than pictures",
    {
      train_images: images,
      train_labels: labels,
      test_images: images,
      test_labels: idx(LABELS, [1], Uint8Array.of(0)),
    },
    "test_labels",
    /1 labels for the 6 pictures of test_images/,
  ],
  [
    "a label that no picture has",
    { train_images: images, train_labels: idx(LABELS, [6], Uint8Array.of(0, 1, 3, 0, 1, 3)) },
    "train_labels",
    /0 to 3.*label 2/,
  ],
  [
    "a test label that is not trained on",
    {
      train_images: images,
      train_labels: labels,
      test_images: images,
      test_labels: idx(LABELS, [6], Uint8Array.of(0, 1, 2, 3, 4, 5)),
    },
    "test_labels",
    /0 to 2.*3/,
  ],
  [
    "test pictures of another width",
    { train_images: images, test_images: idx(IMAGES, [6, 2, 2], new Uint8Array(24)) },
    "test_images",
    /width 3.*it has 2/,
  ],
  [
    "test pictures in colour",
    { train_images: images, test_images: idx(COLOUR, [1, 2, 3, 3], new Uint8Array(18)) },
    "test_images",
    /channels 1/,
  ],
  ["no pictures", { train_images: idx(IMAGES, [0, 2, 3], new Uint8Array(0)) }, "train_images", /0 pictures/],
  [
    "-1 pictures",
    { train_images: idx(IMAGES, [NEGATIVE, 2, 3], pixels) },
    "train_images",
    /4294967295 pictures/,
  ],
  ["-1 rows", { train_images: idx(IMAGES, [6, NEGATIVE, 3], pixels) }, "train_images", /4294967295 rows/],
  [
    "-1 columns",
    { train_images: idx(IMAGES, [6, 2, NEGATIVE], pixels) },
    "train_images",
    /4294967295 columns/,
  ],
  [
    "-1 everything",
    { train_images: idx(COLOUR, [NEGATIVE, NEGATIVE, NEGATIVE, NEGATIVE], pixels) },
    "train_images",
    /4294967295/,
  ],
  [
    "two channels",
    { train_images: idx(COLOUR, [1, 2, 2, 2], new Uint8Array(8)) },
    "train_images",
    /2 channels/,
  ],
  [
    "-1 labels",
    { train_images: images, train_labels: idx(LABELS, [NEGATIVE], pixels) },
    "train_labels",
    /labels/,
  ],
];

Deno.test("IDX files that do not say what they hold are refused by field and cause; nothing is kept", async (t) => {
  for (const [what, parts, field, says] of REFUSED) {
    await t.step(what, async () => {
      await using shelf = await Shelf.open();
      const error = await upload(shelf, parts).then(() => null, (error: DatasetError) => error);
      expect([error?.name, error?.field, error?.message]).toEqual([
        "DatasetError",
        field,
        expect.stringMatching(says),
      ]);
      expect(await shelf.keys()).toEqual([]);
    });
  }
});

Deno.test("an upload that fails at its last file takes the others with it, and what was there stays", async () => {
  await using shelf = await Shelf.open();
  const kept = await upload(shelf, { train_images: images, train_labels: labels });
  const before = await shelf.keys();
  const failing = { train_images: images, train_labels: labels, test_labels: labels };
  await expect(upload(shelf, { ...failing, test_images: cut(images, 1) })).rejects.toMatchObject({
    field: "test_images",
  });
  expect(await shelf.keys()).toEqual(before);
  expect((await new DatasetCatalogue(shelf.store).info(kept.id)).id).toBe(kept.id);
});
