import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { readArchive } from "../../../data/datasets/archive/readArchive.ts";
import type { DatasetError, DatasetInfo } from "../../../data/datasets/dataset.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import type { UploadOptions } from "../../../data/datasets/upload/uploadOptions.ts";
import { zipOfImages } from "../../setup/archives.ts";
import { idx } from "../../setup/uploads.ts";
import { zipOf } from "../../setup/zip.ts";
import { TempStore } from "./fixtures.ts";

async function upload(parts: Record<string, Bytes>, options: UploadOptions = {}): Promise<DatasetInfo> {
  await using temp = await TempStore.open();
  return await createDataset(await temp.files(parts), options, temp.store);
}

const uploadImages = async (paths: string[], options: UploadOptions = {}) =>
  await upload({ archive: await zipOfImages(...paths) }, options);

const errorOf = async (upload: Promise<DatasetInfo>): Promise<DatasetError> =>
  await upload.then(() => Promise.reject(new Error("accepted")), (error: DatasetError) => error);

/** Returns the paths of two images in each folder. */
const images = (...folders: string[]) =>
  folders.flatMap((folder) => [1, 2].map((index) => `${folder}/${index}.png`));

Deno.test("a split name with a leading number is recognised", async () => {
  for (
    const [train, test] of [["01_train", "02_test"], ["1-training", "2-validation"], ["0 Train", "1 Val"]]
  ) {
    const info = await uploadImages(images(`${train}/cat`, `${train}/dog`, `${test}/cat`, `${test}/dog`));
    expect([info.classNames, info.splits.train.count, info.splits.test.count]).toEqual([
      ["cat", "dog"],
      4,
      4,
    ]);
  }
  expect((await uploadImages(images("3 trainers", "2testaments"))).classNames).toEqual([
    "2testaments",
    "3 trainers",
  ]);
});

Deno.test("a class with the name of a split is accepted inside a split on request", async () => {
  const paths = images("v/train/bus", "v/train/train", "v/test/bus", "v/test/train");
  expect((await errorOf(uploadImages(paths))).message).toMatch(
    /has the split 'train' inside another folder.*send folders=splits to read it as a class, or folders=classes to use the top folder/,
  );
  const info = await uploadImages(paths, { folders: "splits" });
  expect([info.classNames, info.splits.train.count, info.splits.test.count]).toEqual([
    ["bus", "train"],
    4,
    4,
  ]);
  const below =
    (await errorOf(uploadImages(images("cat/train", "cat/test", "dog/train", "dog/test")))).message;
  expect(below).not.toMatch(/folders=splits/);
  expect(below).toMatch(/or send folders=classes to use the top folder/);
});

Deno.test("a folder called images in each split is not a class", async () => {
  for (const name of ["images", "imgs", "Image Files"]) {
    const info = await uploadImages(images(`train/${name}`, `valid/${name}`));
    expect([info.labelled, info.classNames, info.splits.train.count]).toEqual([false, [], 2]);
  }
  const classes = await uploadImages(images("train/images", "train/maps", "test/images", "test/maps"));
  expect(classes.classNames).toEqual(["images", "maps"]);
});

Deno.test("a note reports classes that hold folders of the same names", async () => {
  const folds = await uploadImages(images("fold_0/cat", "fold_0/dog", "fold_1/cat", "fold_1/dog"));
  expect([folds.classNames, folds.notes]).toEqual([
    ["fold_0", "fold_1"],
    [expect.stringMatching(/^The folders 'fold_0', 'fold_1' are the classes\..*\('cat', 'dog'\)/)],
  ]);
  for (const others of [images("cat/a", "cat/b", "dog/a", "dog/c"), images("cat/deep", "dog/deep")]) {
    expect((await uploadImages(others)).notes).toEqual([]);
  }
  const asClasses = await uploadImages(images("fold_0/cat", "fold_0/dog", "fold_1/cat", "fold_1/dog"), {
    folders: "classes",
  });
  expect([asClasses.classNames, asClasses.notes]).toEqual([["fold_0", "fold_1"], []]);
});

Deno.test("unrecognised split names are refused if their folders hold the same classes", async () => {
  for (const [train, test] of [["train-clean-100", "test-other"], ["train_a", "val_b"]]) {
    const paths = images(`${train}/cat`, `${train}/dog`, `${test}/cat`, `${test}/dog`);
    expect((await errorOf(uploadImages(paths))).message).toMatch(
      /may be splits or classes.*'cat', 'dog'.*folders=classes/,
    );
    expect((await uploadImages(paths, { folders: "classes" })).classNames).toEqual([train, test].sort());
  }
  expect((await uploadImages(images("steam_train", "crash_test"))).classNames).toEqual([
    "crash_test",
    "steam_train",
  ]);
});

Deno.test("the field folders is refused for IDX files", async () => {
  const train_images = idx(0x803, [10, 1, 1], new Uint8Array(10));
  const error = await errorOf(upload({ train_images }, { folders: "classes" }));
  expect([error.field, error.message]).toEqual([
    "folders",
    "must be left out for IDX files, which have no folders",
  ]);
  expect((await upload({ train_images }, { folders: "auto" })).splits.train.count).toBe(9);
});

Deno.test("the event loop runs between empty entries of a zip", async () => {
  await using temp = await TempStore.open();
  const entries = Array.from(
    { length: 200 },
    (_, index) => ({ name: `a/${index}`, bytes: new Uint8Array(0) }),
  );
  const [file] = await temp.files({ archive: zipOf(entries) });
  const real = performance.now;
  let clockReads = 0, rounds = 0, skipped = 0, ended = false;
  performance.now = () => 1000 * ++clockReads;
  try {
    const files = readArchive(file, []);
    await files.next();
    const others = (async () => {
      while (!ended) {
        rounds++;
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    })();
    for await (const entry of files) if ("skipped" in entry) skipped++;
    ended = true;
    await others;
  } finally {
    performance.now = real;
  }
  expect([skipped, rounds >= 100]).toEqual([199, true]);
});

Deno.test("a note reports a requested share that holds out no image", async () => {
  const message = [expect.stringMatching(/^No image is held out: 0\.01 of (4|10) is less than one image\.$/)];
  expect((await uploadImages(images("a", "b"), { heldOut: 0.01 })).notes).toEqual(message);
  const train_images = idx(0x803, [10, 1, 1], new Uint8Array(10));
  expect((await upload({ train_images }, { heldOut: 0.01 })).notes).toEqual(message);
  for (const options of [{}, { heldOut: 0 }, { heldOut: 0.25 }]) {
    expect((await uploadImages(images("a", "b"), options)).notes).toEqual([]);
  }
});

Deno.test("thumbnails made by file servers are skipped", async () => {
  const info = await uploadImages([
    ...images("a", "b"),
    "@__thumb/1.png",
    "a/@__thumb/1.png",
    "_gsdata_/1.png",
  ]);
  expect([info.classNames, info.layout!.passedOver]).toEqual([
    ["a", "b"],
    [{ reason: "hidden", count: 3, example: "@__thumb/1.png" }],
  ]);
});
