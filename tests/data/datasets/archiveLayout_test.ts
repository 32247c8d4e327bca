import { expect } from "expect";
import { flat, zipOfImages } from "../../setup/archives.ts";
import { zipOf } from "../../setup/zip.ts";
import { expectArchiveRefused, uploadArchive } from "./fixtures.ts";

const flat1 = await flat(1);

/** Returns the paths of two images of two classes in each folder. */
const catsAndDogs = (...folders: string[]) =>
  folders.flatMap((folder) => ["cat/1", "cat/2", "dog/1", "dog/2"].map((name) => `${folder}/${name}.png`));

const TRAIN = [
  ...[
    "train",
    "Training",
    "TRAIN",
    "train_set",
    "training-set",
    "trainset",
    "trainSet",
    "Train Data",
    "train2017",
  ],
  ...["training_images", "trn", "train.data"],
];
const TEST = [
  ...["test", "Testing", "test_set", "test-data", "testset", "test1", "tst", "Test Images"],
  ...["val", "VAL", "valid", "validation", "validation_set", "val2017", "dev", "devset", "dev_set", "eval"],
  ...["evaluation", "evaluation-set", "holdout", "held_out", "hold-out"],
];

Deno.test("the usual names of splits are recognised", async (t) => {
  const pairs = [...TRAIN.map((train) => [train, "test"]), ...TEST.map((test) => ["train", test])];
  for (const [train, test] of pairs) {
    await t.step(`${train} and ${test}`, async () => {
      const info = await uploadArchive(await zipOfImages(...catsAndDogs(train, test)));
      expect(info).toMatchObject({
        classNames: ["cat", "dog"],
        splits: { train: { count: 4 }, test: { count: 4 } },
      });
      expect(info.layout!.folders).toContainEqual({ folder: train, split: "train", count: 4 });
      expect(info.layout!.folders).toContainEqual({ folder: test, split: "test", count: 4 });
    });
  }
});

Deno.test("folders with another word are splits if both splits have the same word", async () => {
  for (const [train, test] of [["seg_train", "seg_test"], ["train-horses", "validation-horses"]]) {
    const repeated = catsAndDogs(train, test).map((path) => path.replace(/^([^/]+)/, "$1/$1"));
    for (const paths of [catsAndDogs(train, test), repeated]) {
      const info = await uploadArchive(await zipOfImages(...paths));
      expect([info.classNames, info.splits.train.count, info.splits.test.count]).toEqual([
        ["cat", "dog"],
        4,
        4,
      ]);
    }
  }
  const trains = await uploadArchive(
    await zipOfImages("bullet_train/1.png", "steam_train/1.png", "crash_test/1.png"),
  );
  expect(trains.classNames).toEqual(["bullet_train", "crash_test", "steam_train"]);
  for (
    const paths of [["trainA/1.png", "testA/1.png", "trainB/1.png", "testB/1.png"], [
      "cat_train/1.png",
      "cat_test/1.png",
      "dog_train/1.png",
      "dog_test/1.png",
    ]]
  ) {
    expect(await expectArchiveRefused(await zipOfImages(...paths))).toMatch(
      /both a class and a split.*test.*folders=classes/i,
    );
  }
});

Deno.test("folders around the splits, and a repeated split name, are ignored", async () => {
  for (
    const paths of [
      catsAndDogs("archive/v1/train", "archive/v1/test"),
      catsAndDogs("training_set/training_set", "test_set/test_set"),
      catsAndDogs("train/images", "val/images"),
      catsAndDogs("test/train", "test/test"),
    ]
  ) {
    const info = await uploadArchive(await zipOfImages(...paths));
    expect([info.classNames, info.splits.train.count, info.splits.test.count]).toEqual([
      ["cat", "dog"],
      4,
      4,
    ]);
  }
});

Deno.test("val and test form one split, and a note reports it", async () => {
  const info = await uploadArchive(await zipOfImages(...catsAndDogs("d/train", "d/val", "d/test")));
  expect(info.splits).toEqual({ train: { count: 4 }, test: { count: 8 } });
  expect(info.layout!.folders).toEqual([
    { folder: "d/test", split: "test", count: 4 },
    { folder: "d/train", split: "train", count: 4 },
    { folder: "d/val", split: "test", count: 4 },
  ]);
  expect(info.notes).toEqual([expect.stringMatching(/'d\/test', 'd\/val'.*read as one split: test/)]);
});

Deno.test("splits beside other folders require the field folders", async () => {
  const mixed = await zipOfImages(...catsAndDogs("train", "test"), "samples/cat/1.png", "samples/dog/1.png");
  const message = await expectArchiveRefused(mixed);
  for (const part of ["'train'", "'test'", "'samples'", "folders=splits", "folders=classes"]) {
    expect(message).toContain(part);
  }
  const splits = await uploadArchive(mixed, { folders: "splits" });
  expect([splits.classNames, splits.splits]).toEqual([
    ["cat", "dog"],
    { train: { count: 4 }, test: { count: 4 } },
  ]);
  expect(splits.layout!.passedOver).toEqual([
    { reason: "outside_splits", count: 2, example: "samples/cat/1.png" },
  ]);
  const vehicles = await zipOfImages("bus/1.png", "bus/2.png", "train/1.png", "train/2.png");
  expect(await expectArchiveRefused(vehicles)).toMatch(/'train'.*'bus'/);
  expect((await uploadArchive(vehicles, { folders: "classes" })).classNames).toEqual(["bus", "train"]);
  expect(await expectArchiveRefused(await zipOfImages(...catsAndDogs("train", "test"), "logo.png"))).toMatch(
    /outside.*'logo\.png'/,
  );
  expect(await expectArchiveRefused(await zipOfImages("a/1.png", "b/1.png"), { folders: "splits" })).toMatch(
    /no folder.*split/,
  );
});

Deno.test("splits inside classes or splits are refused", async () => {
  for (
    const paths of [
      ["cat/train/1.png", "cat/test/2.png", "dog/train/1.png", "dog/test/2.png"],
      ["cat/a/val/1.png", "dog/1.png"],
      catsAndDogs("train/train", "train/val", "test"),
      catsAndDogs("part1/train", "part1/test", "part2/train", "part2/test"),
    ]
  ) {
    expect(await expectArchiveRefused(await zipOfImages(...paths))).toMatch(
      /has the split '(test|train|val)' inside/,
    );
  }
  const info = await uploadArchive(await zipOfImages("cat/train/1.png", "dog/test/2.png"), {
    folders: "classes",
  });
  expect(info.classNames).toEqual(["cat", "dog"]);
});

Deno.test("a copy of the tree inside itself is skipped", async () => {
  const withCopy = async (paths: string[], root: string) => {
    const entries = await Promise.all(paths.map(async (name, index) => ({ name, bytes: await flat(index) })));
    return zipOf([...entries, ...entries.map(({ name, bytes }) => ({ name: `${root}/${name}`, bytes }))]);
  };
  const splits = await uploadArchive(await withCopy(catsAndDogs("train", "val", "test"), "chest_xray"));
  expect([splits.classNames, splits.splits]).toEqual([
    ["cat", "dog"],
    { train: { count: 4 }, test: { count: 8 } },
  ]);
  expect(splits.layout!.passedOver).toEqual([
    { reason: "copy", count: 12, example: "chest_xray/test/cat/1.png" },
  ]);
  const beside = catsAndDogs("data/train", "data/test").map((path, index) => ({ path, index }));
  const copied = await uploadArchive(zipOf(
    await Promise.all(
      ["", "copy of "].flatMap((prefix) =>
        beside.map(async ({ path, index }) => ({ name: `${prefix}${path}`, bytes: await flat(index) }))
      ),
    ),
  ));
  expect([copied.classNames, copied.splits.train.count, copied.layout!.passedOver]).toEqual([
    ["cat", "dog"],
    4,
    [{ reason: "copy", count: 8, example: "data/test/cat/1.png" }],
  ]);
  // Splits and classes may have the same images under the same names.
  const sameImages = async (...roots: string[]) =>
    zipOf(
      await Promise.all(roots.flatMap((root) =>
        catsAndDogs(root).map(async (path) => ({ name: path, bytes: await flat(path.length) }))
      )),
    );
  for (const [train, test] of [["train", "test"], ["seg_train", "seg_test"], ["x/train", "x/val"]]) {
    const info = await uploadArchive(await sameImages(train, test));
    expect([info.splits.train.count, info.splits.test.count]).toEqual([4, 4]);
  }
  const shared = ["a/deep/1.png", "b/deep/1.png"].map((name) => ({ name, bytes: flat1 }));
  expect((await uploadArchive(zipOf(shared))).classNames).toEqual(["a", "b"]);
  const classes = await uploadArchive(await withCopy(["cat/1.png", "dog/1.png", "dog/2.png"], "data/data"));
  expect([classes.classNames, classes.splits.train.count]).toEqual([["cat", "dog"], 3]);
  expect(
    await expectArchiveRefused(
      await zipOfImages("cat/1.png", "dog/1.png", "data/cat/1.png", "data/dog/1.png"),
    ),
  )
    .toMatch(
      /same names in 'data'.*different files/,
    );
});

Deno.test("images in one folder have no classes, and a note reports a single class", async () => {
  const unlabelled = await uploadArchive(await zipOfImages("photos/1.png", "photos/2.png"));
  expect([unlabelled.labelled, unlabelled.notes]).toEqual([false, [
    expect.stringMatching(/'photos'.*no classes/),
  ]]);
  const one = await uploadArchive(await zipOfImages("train/cat/1.png", "train/cat/2.png", "test/cat/1.png"));
  expect([one.classNames, one.notes]).toEqual([["cat"], [
    expect.stringMatching(/only one class, 'cat'.*two/),
  ]]);
});
