import { expect } from "expect";
import { digitsInfo } from "../../../data/datasets/builtIn/digits.ts";
import { writeManifest } from "../../../data/datasets/stored/manifest.ts";
import { PRESETS } from "../../../model/presets.ts";
import { eventsOf, KindHarness, withCreatedAt } from "./harness.ts";

Deno.test("a warning reports batches smaller than requested", async () => {
  await using harness = await KindHarness.open();
  const source = await harness.storeModel("classifier", { config: PRESETS.mnist });
  const body = { kind: "evaluate", checkpoint: source.id, split: "train", batch_size: 4096 };
  const warnings = async (size: number) => {
    const events = await harness.run({ ...body, dataset: { id: "digits", size } }, { source });
    return eventsOf(events, "log").filter(({ level }) => level === "warning").map(({ message }) => message);
  };
  expect(await warnings(2000)).toEqual([
    expect.stringMatching(/^Measuring in batches of \d+ instead of 4096/),
  ]);
  expect(await warnings(100)).toEqual([]);
});

Deno.test("one warning names the classes without a training image", async () => {
  await using harness = await KindHarness.open();
  const id = `ds_${"0".repeat(26)}`;
  const [images, labels] = ["train-images.raw", "train-labels.raw"].map((name) => `datasets/${id}/${name}`);
  await harness.store.put(images, new Uint8Array(8 * 28 * 28));
  await harness.store.put(labels, Uint8Array.of(0, 2, 0, 2, 0, 2, 0, 2));
  await writeManifest(harness.store, {
    info: {
      ...digitsInfo(8),
      id,
      source: "upload",
      splits: { train: { count: 8 }, test: { count: 0 } },
      numClasses: 4,
      classNames: ["ant", "bee", "cow", "dog"],
    },
    storage: { kind: "raw", train: { count: 8, images, labels }, test: null, heldOut: null },
  });
  const body = { kind: "finetune", model: { patch_size: 7, depth: 1 }, dataset: id, batch_size: 4 };
  const events = await harness.run(body);
  const warnings = events.filter((event) => event.type === "log" && event.level === "warning");
  expect(warnings).toEqual([
    {
      type: "log",
      level: "warning",
      message: expect.stringContaining("There is no training image of 'bee', 'dog'"),
    },
  ]);
  const saved = events.find((event) => event.type === "checkpoint")!.checkpoint;
  const resumed = await harness.run({ ...body, epochs: 2 }, {
    resumePoints: [withCreatedAt(saved)],
  });
  expect(resumed.filter((event) => event.type === "log" && event.level === "warning")).toEqual([]);
});
