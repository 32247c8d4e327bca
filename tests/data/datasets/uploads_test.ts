import { expect } from "expect";
import { buffer } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import type { DatasetError } from "../../../data/datasets/dataset.ts";
import { createDataset } from "../../../data/datasets/upload.ts";
import type { UploadOptions } from "../../../data/datasets/uploaded.ts";
import { encodePng } from "../../../data/images.ts";
import { type Bytes, idx, idxDigits, pngDigit, tarGz } from "../../setup/uploads.ts";
import { type ZipEntry, zipOf } from "../../setup/zip.ts";
import { Shelf } from "./fixtures.ts";

const FORM = { imageSize: 28, channels: 1 } as const;
const train = idxDigits(40, "train"), test = idxDigits(20, "test");
const idxFiles = { train_images: train.images, train_labels: train.labels };
const png = await pngDigit(1), other = await pngDigit(2);

const upload = async (shelf: Shelf, parts: Record<string, Bytes>, options: UploadOptions = {}) =>
  await createDataset(await shelf.files(parts), options, shelf.store);

Deno.test("IDX files become a data set that reads back as it was, gzipped or not", async () => {
  await using shelf = await Shelf.open();
  const plain = new Uint8Array(gunzipSync(train.images));
  const info = await upload(shelf, {
    train_images: plain,
    train_labels: train.labels,
    test_images: test.images,
    test_labels: test.labels,
  }, { name: "mine" });
  expect(info).toMatchObject({
    name: "mine",
    format: "raw",
    height: 28,
    channels: 1,
    splits: { train: { count: 40 }, test: { count: 20 } },
    labelled: true,
    numClasses: 10,
  });
  const dataset = await new DatasetCatalogue(shelf.store).open({ id: info.id });
  const loaded = await dataset.load("train", FORM);
  expect(loaded.pixels).toEqual(plain.slice(16));
  expect(new Uint8Array(loaded.labels!)).toEqual(new Uint8Array(gunzipSync(train.labels)).slice(8));
  const some = await dataset.read("train", [7, 3], FORM);
  expect(some.pixels.slice(784)).toEqual(plain.slice(16 + 3 * 784, 16 + 4 * 784));
  expect((await dataset.load("test", { imageSize: 14, channels: 3 })).pixels.length).toBe(20 * 14 * 14 * 3);
  await expect(dataset.read("test", [20], FORM)).rejects.toThrow("0 to 19");
});

Deno.test("without test pictures a share is held out, by the seed, and nothing is in both", async () => {
  await using shelf = await Shelf.open();
  const load = async (options: UploadOptions) => {
    const info = await upload(shelf, idxFiles, options);
    const dataset = await new DatasetCatalogue(shelf.store).open({ id: info.id });
    const [train, test] = [await dataset.load("train", FORM), await dataset.load("test", FORM)];
    const rows = (set: typeof train) =>
      Array.from(
        { length: set.count },
        (_, i) => set.pixels.slice(i * 784, i * 784 + 784).toHex() + set.labels![i],
      );
    return { info, train: rows(train), test: rows(test) };
  };
  const first = await load({ heldOut: 0.25, seed: 1 });
  expect(first.info.splits).toEqual({ train: { count: 30 }, test: { count: 10 } });
  const whole = await load({ heldOut: 0 });
  expect([...first.train, ...first.test].sort()).toEqual(whole.train.sort());
  expect(whole.test).toEqual([]);
  expect((await load({ heldOut: 0.25, seed: 1 })).test).toEqual(first.test);
  expect((await load({ heldOut: 0.25, seed: 2 })).test).not.toEqual(first.test);
  expect((await load({})).info.splits.test.count).toBe(4);
});

Deno.test("pictures without labels can be trained on", async () => {
  await using shelf = await Shelf.open();
  const info = await upload(shelf, { train_images: train.images });
  expect(info).toMatchObject({ labelled: false, numClasses: 0, classNames: [] });
  const dataset = await new DatasetCatalogue(shelf.store).open({ id: info.id });
  expect((await dataset.load("train", FORM)).labels).toBeNull();
});

const archives: [kind: string, of: (files: Record<string, Bytes>) => Promise<Bytes>][] = [
  ["tar.gz", tarGz],
  ["tar", async (files) => new Uint8Array(gunzipSync(await tarGz(files)))],
  ["zip", (files) => Promise.resolve(zipOf(Object.entries(files).map(([name, bytes]) => ({ name, bytes }))))],
];

for (const [kind, archiveOf] of archives) {
  Deno.test(`a ${kind} of folders becomes a data set; the folders are its classes`, async () => {
    await using shelf = await Shelf.open();
    const wide = await encodePng(new Uint8Array(40 * 20 * 3).fill(200), 40, 20, 3);
    const archive = await archiveOf({
      "set/cats/a.png": png,
      "set/cats/deep/b.png": other,
      "set/dogs/a.png": wide,
      "set/.DS_Store": Uint8Array.of(1),
      "__MACOSX/set/cats/._a.png": Uint8Array.of(1),
    });
    const info = await upload(shelf, { archive }, { heldOut: 0 });
    expect(info).toMatchObject({
      format: "encoded",
      height: null,
      width: null,
      channels: 3,
      classNames: ["cats", "dogs"],
      splits: { train: { count: 3 }, test: { count: 0 } },
    });
    const dataset = await new DatasetCatalogue(shelf.store).open({ id: info.id });
    const loaded = await dataset.load("train", FORM);
    expect([...loaded.labels!]).toEqual([0, 0, 1]);
    expect(loaded.pixels.slice(2 * 784).every((value) => Math.abs(value - 200) < 3)).toBe(true);
    const [second] = [await dataset.read("train", [1], FORM)];
    expect(second.pixels).toEqual(loaded.pixels.slice(784, 2 * 784));
  });
}

Deno.test("train and test folders are splits; pictures without folders, or all in one, have no classes", async () => {
  await using shelf = await Shelf.open();
  const split = await upload(shelf, {
    archive: await tarGz({ "train/a/1.png": png, "train/b/1.png": png, "val/a/1.png": other }),
  });
  expect(split).toMatchObject({
    classNames: ["a", "b"],
    splits: { train: { count: 2 }, test: { count: 1 } },
  });
  for (const folder of ["", "holiday/"]) {
    const flat = await upload(shelf, {
      archive: await tarGz({ [`${folder}1.png`]: png, [`${folder}2.png`]: png }),
    });
    expect(flat).toMatchObject({ labelled: false, classNames: [], height: 28, width: 28, channels: 1 });
  }
});

/** A tar of entries with any header, gzipped. */
async function tarOf(
  ...entries: {
    name: string;
    type?: "symlink" | "link" | "character-device" | "fifo" | "file";
    bytes?: Bytes;
  }[]
): Promise<Bytes> {
  const tar = pack();
  for (const { name, type = "file", bytes = png } of entries) {
    if (type === "file") tar.entry({ name }, bytes as unknown as string);
    else tar.entry({ name, type, linkname: "/etc/passwd", size: 0 });
  }
  tar.finalize();
  return new Uint8Array(await buffer(tar as unknown as NodeJS.ReadableStream));
}

const changed = (bytes: Bytes, at: number, ...values: number[]): Bytes => {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
};
const digits = (text: string) => [...new TextEncoder().encode(text)];
const zip = (...entries: ZipEntry[]) => Promise.resolve(zipOf(entries));

const REFUSED: [what: string, parts: () => Promise<Record<string, Bytes>>, field: string, says: RegExp][] = [
  ["nothing", () => Promise.resolve({ train_labels: train.labels }), "train_images", /must be given/],
  [
    "test labels alone",
    () => Promise.resolve({ ...idxFiles, test_labels: test.labels }),
    "test_images",
    /must be given/,
  ],
  [
    "test pictures without labels",
    () => Promise.resolve({ ...idxFiles, test_images: test.images }),
    "test_labels",
    /must be given/,
  ],
  [
    "other sizes",
    () =>
      Promise.resolve({ train_images: train.images, test_images: idx(0x803, [1, 2, 2], new Uint8Array(4)) }),
    "test_images",
    /height 28/,
  ],
  [
    "an unknown test label",
    () =>
      Promise.resolve({
        ...idxFiles,
        test_images: idx(0x803, [1, 28, 28], new Uint8Array(784)),
        test_labels: idx(0x801, [1], Uint8Array.of(10)),
      }),
    "test_labels",
    /0 to 9.*10/,
  ],
  [
    "bytes after gzip",
    () => Promise.resolve({ train_images: Uint8Array.from([...train.images, 1, 2, 3]) }),
    "train_images",
    /damaged|after the end/,
  ],
  [
    "an archive and IDX",
    async () => ({ archive: await tarGz({ "a/1.png": png }), train_images: train.images }),
    "train_images",
    /beside archive/,
  ],
  ["an empty archive", async () => ({ archive: await tarOf() }), "archive", /no picture|neither/],
  ["only litter", async () => ({ archive: await tarGz({ "a/.hidden": png }) }), "archive", /no picture/],
  [
    "a text file",
    async () => ({ archive: await tarGz({ "a/1.png": png, "a/notes.txt": png.slice(1) }) }),
    "archive",
    /notes\.txt.*neither/,
  ],
  [
    "in and outside of folders",
    async () => ({ archive: await tarGz({ "a/1.png": png, "b/1.png": png, "1.png": png }) }),
    "archive",
    /outside/,
  ],
  [
    "a class to measure alone",
    async () => ({ archive: await tarGz({ "train/a/1.png": png, "test/b/1.png": png }) }),
    "archive",
    /training picture.*'b'/,
  ],
  [
    "no training pictures",
    async () => ({ archive: await tarGz({ "test/a/1.png": png }) }),
    "archive",
    /none to train/,
  ],
  ["..", async () => ({ archive: await tarOf({ name: "a/../../1.png" }) }), "archive", /leaves/],
  [
    ".. in a zip",
    async () => ({ archive: await zip({ name: "../1.png", bytes: png }) }),
    "archive",
    /damaged|leaves/,
  ],
  ["an absolute path", async () => ({ archive: await tarOf({ name: "/etc/1.png" }) }), "archive", /absolute/],
  ["a drive", async () => ({ archive: await tarOf({ name: "C:/1.png" }) }), "archive", /absolute/],
  ["a backslash", async () => ({ archive: await tarOf({ name: "a\\1.png" }) }), "archive", /backslash/],
  ["a line break", async () => ({ archive: await tarOf({ name: "a/1\n.png" }) }), "archive", /control/],
  [
    "a direction mark",
    async () => ({ archive: await tarOf({ name: "a/\u202egnp.png" }) }),
    "archive",
    /control/,
  ],
  [
    "a long name",
    async () => ({ archive: await tarOf({ name: `a/${"x".repeat(2000)}.png` }) }),
    "archive",
    /1024 characters/,
  ],
  [
    "a symbolic link",
    async () => ({ archive: await tarOf({ name: "a/1.png", type: "symlink" }) }),
    "archive",
    /symlink/,
  ],
  [
    "a hard link",
    async () => ({ archive: await tarOf({ name: "a/1.png", type: "link" }) }),
    "archive",
    /link/,
  ],
  [
    "a device",
    async () => ({ archive: await tarOf({ name: "a/1.png", type: "character-device" }) }),
    "archive",
    /device/,
  ],
  ["a FIFO", async () => ({ archive: await tarOf({ name: "a/1.png", type: "fifo" }) }), "archive", /fifo/],
  [
    "a link in a zip",
    async () => ({ archive: await zip({ name: "a/1.png", bytes: png, mode: 0o120777 }) }),
    "archive",
    /link/,
  ],
  [
    "an encrypted entry",
    async () => ({ archive: await zip({ name: "a/1.png", bytes: png, flags: 1 }) }),
    "archive",
    /encrypted/,
  ],
  [
    "a name twice",
    async () => ({ archive: await tarOf({ name: "a/1.png" }, { name: "a/1.png" }) }),
    "archive",
    /twice/,
  ],
  [
    "names that differ in case",
    async () => ({ archive: await tarOf({ name: "a/1.png" }, { name: "A/1.PNG" }) }),
    "archive",
    /case/,
  ],
  [
    "a wrong checksum",
    async () => ({ archive: changed(await tarOf({ name: "a/1.png" }), 148, ...digits("000000")) }),
    "archive",
    /damaged/,
  ],
  [
    "a size that is no number",
    async () => ({ archive: changed(await tarOf({ name: "a/1.png" }), 124, ...digits("zzzzzzzzzzz")) }),
    "archive",
    /damaged/,
  ],
  [
    "a tar cut in a file",
    async () => ({ archive: (await tarOf({ name: "a/1.png" })).slice(0, 600) }),
    "archive",
    /damaged|cannot be decoded/,
  ],
  [
    "a zip cut at its end",
    async () => ({ archive: (await zip({ name: "a/1.png", bytes: png })).slice(0, -10) }),
    "archive",
    /damaged/,
  ],
  [
    "a gzip bomb of labels",
    () =>
      Promise.resolve({
        train_images: train.images,
        train_labels: new Uint8Array(gzipSync(new Uint8Array(2 ** 24))),
      }),
    "train_labels",
    /magic|label/,
  ],
];

Deno.test("what cannot be a data set is refused by field and cause, and nothing is kept", async (t) => {
  for (const [what, parts, field, says] of REFUSED) {
    await t.step(what, async () => {
      await using shelf = await Shelf.open();
      const error = await upload(shelf, await parts()).then(() => null, (error: DatasetError) => error);
      expect([error?.name, error?.field, error?.message]).toEqual([
        "DatasetError",
        field,
        expect.stringMatching(says),
      ]);
      expect(error!.message).not.toMatch(/[\n\u202e]/);
      expect(await shelf.keys()).toEqual([]);
    });
  }
});

Deno.test("held_out is refused beside test pictures, and an upload that is given up leaves nothing", async () => {
  await using shelf = await Shelf.open();
  const all = { ...idxFiles, test_images: test.images, test_labels: test.labels };
  await expect(upload(shelf, all, { heldOut: 0.2 })).rejects.toMatchObject({ field: "held_out" });
  const gone = AbortSignal.abort(new Error("the client went away"));
  await expect(createDataset(await shelf.files(all), {}, shelf.store, gone)).rejects.toThrow("went away");
  expect(await shelf.keys()).toEqual([]);
});
