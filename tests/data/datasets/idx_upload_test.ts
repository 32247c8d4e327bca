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
    const [picture] = await shelf.files({ train_images: images });
    expect((await createDataset([{ ...picture, filename }], {}, shelf.store)).name).toBe(name);
  }
  for (const filename of ["", ".gz", "idx3-ubyte", "-idx3-ubyte.gz", ".tar.gz", " .zip"]) {
    const [picture] = await shelf.files({ train_images: images });
    const info = await createDataset([{ ...picture, filename }], {}, shelf.store);
    expect([filename, info.name === "" || info.name.startsWith(" ")]).toEqual([filename, false]);
  }
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

/** Label files of signed integers, big-endian. */
function integers(magic: number, bytes: 1 | 2 | 4, values: readonly number[], columns?: number): Bytes {
  const data = new DataView(new ArrayBuffer(bytes * values.length));
  for (const [at, value] of values.entries()) {
    if (bytes === 1) data.setInt8(at, value);
    else if (bytes === 2) data.setInt16(2 * at, value);
    else data.setInt32(4 * at, value);
  }
  const dimensions = columns ? [values.length / columns, columns] : [values.length];
  return idx(magic, dimensions, new Uint8Array(data.buffer));
}

/** A label file as QMNIST's: class, series, writer, character, two class codes, position, 0. */
const qmnist = (classes: readonly number[]): Bytes =>
  integers(0xc02, 4, classes.flatMap((label) => [label, 4, 2000, 100, 48 + label, 30, 12, 0]), 8);

async function labelsOf(shelf: Shelf, id: string, imageSize = 2): Promise<number[]> {
  const dataset = await new DatasetCatalogue(shelf.store).open({ id });
  const { labels } = await dataset.load("train", { imageSize, channels: 1 });
  return [...labels!];
}

Deno.test("labels that begin at 1 or have gaps are classes named by their numbers", async (t) => {
  const tables: [string, number[], number[]][] = [
    ["from 1", [1, 2, 3, 1, 2, 3], [0, 1, 2, 0, 1, 2]],
    ["with gaps", [40, 7, 7, 0, 40, 0], [2, 1, 1, 0, 2, 0]],
    ["one alone", [9, 9, 9, 9, 9, 9], [0, 0, 0, 0, 0, 0]],
  ];
  for (const [what, values, indices] of tables) {
    await t.step(what, async () => {
      await using shelf = await Shelf.open();
      const file = idx(LABELS, [6], Uint8Array.from(values));
      const info = await upload(shelf, { train_images: images, train_labels: file }, { heldOut: 0 });
      const names = [...new Set(values)].sort((a, b) => a - b).map(String);
      expect([info.numClasses, info.classNames]).toEqual([names.length, names]);
      expect(await labelsOf(shelf, info.id)).toEqual(indices);
      const [second] = [
        ...(await new DatasetCatalogue(shelf.store).open({ id: info.id })
          .then((dataset) => dataset.read("train", [1], { imageSize: 2, channels: 1 }))).labels!,
      ];
      expect(second).toBe(indices[1]);
    });
  }
});

Deno.test("labels are read from every integer type, and from the first column of QMNIST's rows", async (t) => {
  const values = [3, 1, 2, 0, 1, 2];
  const files: [string, Bytes][] = [
    ["signed bytes", integers(0x901, 1, values)],
    ["16 bits", integers(0xb01, 2, values)],
    ["32 bits", integers(0xc01, 4, values)],
    ["one column", integers(0xc02, 4, values, 1)],
    ["QMNIST", qmnist(values)],
    ["QMNIST gzipped", gz(qmnist(values))],
  ];
  for (const [what, file] of files) {
    await t.step(what, async () => {
      await using shelf = await Shelf.open();
      const info = await upload(shelf, { train_images: images, train_labels: file }, { heldOut: 0 });
      expect(info.classNames).toEqual(["0", "1", "2", "3"]);
      expect(await labelsOf(shelf, info.id)).toEqual(values);
    });
  }
});

Deno.test("more than 256 classes keep their labels", async () => {
  await using shelf = await Shelf.open();
  const values = Array.from({ length: 20_000 }, (_, at) => (at * 7) % 300 * 200);
  const pictures = idx(IMAGES, [20_000, 1, 1], new Uint8Array(20_000));
  const file = gz(integers(0xc01, 4, values));
  const info = await upload(shelf, { train_images: pictures, train_labels: file }, { heldOut: 0 });
  expect(info.numClasses).toBe(300);
  expect(info.size).toBe(20_000 * 3);
  expect(await labelsOf(shelf, info.id, 1)).toEqual(values.map((value) => value / 200));
});

Deno.test("other work gets its turns while a large label file is read", async () => {
  await using shelf = await Shelf.open();
  const count = 1_000_000;
  const pictures = gz(idx(IMAGES, [count, 1, 1], new Uint8Array(count)));
  const file = gz(idx(LABELS, [count], Uint8Array.from({ length: count }, (_, at) => at % 7)));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const info = await upload(shelf, { train_images: pictures, train_labels: file });
  clearInterval(timer);
  expect(info.numClasses).toBe(7);
  expect(turns).toBeGreaterThan(10);
});

Deno.test("gzip files with padding of zeros, or of several members, are taken whole", async (t) => {
  const half = Math.floor(images.length / 2);
  const members = Uint8Array.from([...gz(images.slice(0, half)), ...gz(images.slice(half))]);
  const files: [string, Bytes][] = [
    ["one zero", and(gz(images), 0)],
    ["a tape's block", and(gz(images), ...new Array(20_480).fill(0))],
    ["more than a stream's buffer", Uint8Array.from([...gz(images), ...new Uint8Array(300_000)])],
    ["two members", members],
    ["two members, padded", and(members, 0, 0, 0)],
  ];
  for (const [what, file] of files) {
    await t.step(what, async () => {
      await using shelf = await Shelf.open();
      const { id } = await upload(shelf, { train_images: file }, { heldOut: 0 });
      const [key] = (await shelf.keys()).filter((key) => key.endsWith("train-images.raw"));
      expect(key).toContain(id);
      const stored = await new Response((await shelf.store.get(key)).body).bytes();
      expect(new Uint8Array(stored)).toEqual(pixels);
    });
  }
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
    /begins with 0x00000d03.*32-bit floats: images must be unsigned bytes/,
  ],
  [
    "16-bit images",
    { train_images: idx(0xb03, [6, 2, 3], pixels) },
    "train_images",
    /16-bit integers: images/,
  ],
  [
    "images of five dimensions",
    { train_images: idx(0x805, [1, 1, 1, 1, 1], pixels) },
    "train_images",
    /has 5 dim/,
  ],
  [
    "a type that IDX does not have",
    { train_images: idx(0xa03, [6, 2, 3], pixels) },
    "train_images",
    /0x00000a03/,
  ],
  ...([["float", 0xd01, /32-bit floats: labels must be integers/], [
    "double",
    0xe01,
    /64-bit floats/,
  ]] as const)
    .map(([type, magic, says]): [string, Record<string, Bytes>, string, RegExp] => [
      `${type} labels`,
      { train_images: images, train_labels: idx(magic, [6], new Uint8Array(48)) },
      "train_labels",
      says,
    ]),
  [
    "one-hot labels",
    { train_images: images, train_labels: idx(0x802, [6, 3], new Uint8Array(18)) },
    "train_labels",
    /rows of 3 unsigned bytes/,
  ],
  [
    "labels in half a row",
    { train_images: images, train_labels: cut(qmnist([0, 1, 2, 0, 1, 2]), 4) },
    "train_labels",
    /188 bytes.*declares 192/,
  ],
  [
    "a negative label",
    { train_images: images, train_labels: integers(0xb01, 2, [0, 1, 2, -1, 1, 2]) },
    "train_labels",
    /label -1: labels must be 0 to 65535/,
  ],
  [
    "a label too large",
    { train_images: images, train_labels: integers(0xc01, 4, [0, 1, 2, 65536, 1, 2]) },
    "train_labels",
    /label 65536/,
  ],
  [
    "a picture",
    { train_images: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10) },
    "train_images",
    /IDX/,
  ],
  [
    "a zip",
    { train_images: Uint8Array.of(0x50, 0x4b, 3, 4, 20) },
    "train_images",
    /is a zip file: unpack it/,
  ],
  [
    "xz labels",
    { train_images: images, train_labels: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a) },
    "train_labels",
    /xz/,
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
  [
    "bytes behind zeros behind the gzip data",
    { train_images: and(gz(images), 0, 0, 9) },
    "train_images",
    /gzip/,
  ],
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
    "a test label that is not trained on",
    {
      train_images: images,
      train_labels: labels,
      test_images: images,
      test_labels: idx(LABELS, [6], Uint8Array.of(0, 1, 2, 3, 4, 5)),
    },
    "test_labels",
    /\(0, 1, 2\): one is 3/,
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
