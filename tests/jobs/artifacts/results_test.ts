import { expect } from "expect";
import { digitsInfo } from "../../../data/datasets/builtIn/digits.ts";
import { writeManifest } from "../../../data/datasets/stored/manifest.ts";
import { saveCheckpoint } from "../../../jobs/artifacts/writeCheckpoint.ts";
import { matchClasses } from "../../../jobs/artifacts/classMatch.ts";
import type { Checkpoint } from "../../../jobs/job.ts";
import { finite } from "../../../jobs/kinds/finite.ts";
import type { KindContext, KindEvent } from "../../../jobs/kinds/kind.ts";
import { RESULT_BYTES, resultBytes } from "../../../jobs/store/queue/outcome.ts";
import { confusionSummary, MAX_INLINE_CLASSES, MAX_INLINE_NAMES } from "../../../jobs/artifacts/confusion.ts";
import { type MaeConfig } from "../../../model/config.ts";
import { PRESETS } from "../../../model/presets.ts";
import { initialWeights, type ModelShape, parameterSpecs } from "../../../model/weights.ts";
import { Bench } from "../bench.ts";
import { withStore } from "../fixtures.ts";

const CONFIG = { ...PRESETS.mnist, patchSize: 7, embedDim: 16, depth: 1, numHeads: 2, decoderDepth: 1 };
const DIGITS = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** A stored, untrained model; `spoilt` names a tensor to be filled with a huge, finite number. */
async function stored(
  bench: Bench,
  model: "mae" | "classifier",
  { config = CONFIG, spoilt }: { config?: MaeConfig; spoilt?: string },
): Promise<Checkpoint> {
  const shape: ModelShape = model === "mae" ? { model } : { model, classes: 10 };
  const weights = new Map(initialWeights(parameterSpecs(config, shape), 1));
  if (spoilt) {
    const { shape: size, data } = weights.get(spoilt)!;
    weights.set(spoilt, { shape: size, data: new Float32Array(data.length).fill(3e38) });
  }
  const saved = await saveCheckpoint(bench.store, {
    jobId: `job_${"1".repeat(26)}`,
    config,
    shape,
    classNames: model === "mae" ? [] : DIGITS,
    state: { step: 1, epochLossSum: 1, weights, optimizer: { step: 1, expAvg: weights, expAvgSq: weights } },
    epoch: 0,
    final: true,
    metrics: {},
  });
  return { ...saved, createdAt: "2026-01-01T00:00:00.000Z" };
}

Deno.test("measuring a model whose numbers are not finite fails with advice", async () => {
  await using bench = await Bench.open();
  for (
    const [model, tensor] of [["mae", "decoder.decoder_pred.weight"], [
      "classifier",
      "encoder.norm.weight",
    ]] as const
  ) {
    const source = await stored(bench, model, { spoilt: tensor });
    const measuring = bench.run({ kind: "evaluate", checkpoint: source.id, dataset: "digits" }, { source });
    await expect(measuring).rejects.toMatchObject({
      code: "not_finite",
      message: expect.stringMatching(/not a finite number\. .*lower lr/),
    });
  }
});

Deno.test("a warning reports batches smaller than requested", async () => {
  await using bench = await Bench.open();
  const source = await stored(bench, "classifier", { config: PRESETS.mnist });
  const body = { kind: "evaluate", checkpoint: source.id, split: "train", batch_size: 4096 };
  const warnings = async (size: number) => {
    const events = await bench.run({ ...body, dataset: { id: "digits", size } }, { source });
    return events.flatMap((event) => event.type === "log" && event.level === "warning" ? event.message : []);
  };
  expect(await warnings(1300)).toEqual([
    expect.stringMatching(/^Measuring in batches of \d+ instead of 4096/),
  ]);
  expect(await warnings(100)).toEqual([]);
});

Deno.test("fine-tuning a model whose numbers are not finite fails at once", async () => {
  await using bench = await Bench.open();
  const source = await stored(bench, "mae", { spoilt: "encoder.norm.weight" });
  for (const kind of ["finetune", "linear_probe"]) {
    const body = { kind, checkpoint: source.id, dataset: { id: "digits", size: 64 }, batch_size: 64 };
    await expect(bench.run(body, { source })).rejects.toMatchObject({
      code: "loss_not_finite",
      message: expect.stringMatching(/step 1: training has diverged\. Choose a lower lr than 0\.001/),
    });
  }
});

Deno.test("a number that is not finite in any event fails the job", async () => {
  const reports: KindEvent[] = [
    { type: "result", result: { steps: 4, testLoss: NaN } },
    { type: "result", result: { confusion: [[1, 2], [3, -Infinity]] } },
    { type: "step", step: 3, epoch: 0, loss: 1, lr: Infinity, images: 1 },
    { type: "epoch", step: 3, epoch: 0, loss: 1, metrics: { accuracy: NaN } },
  ];
  const named = [
    "test_loss is NaN",
    "1 is -Infinity",
    "lr of step 3 is Infinity",
    "accuracy of epoch 1 is NaN",
  ];
  for (const [at, report] of reports.entries()) {
    const first: KindEvent = { type: "log", level: "info", message: "begins" };
    const run = finite(async function* () {
      yield await Promise.resolve(first);
      yield report;
    });
    const events = run({} as KindContext);
    expect((await events.next()).value).toEqual(first);
    await expect(events.next()).rejects.toMatchObject({
      code: "not_finite",
      message: expect.stringContaining(named[at]),
    });
  }
});

Deno.test("one warning names the classes without a training image", async () => {
  await using bench = await Bench.open();
  const id = `ds_${"0".repeat(26)}`;
  const [images, labels] = ["train-images.raw", "train-labels.raw"].map((name) => `datasets/${id}/${name}`);
  await bench.store.put(images, new Uint8Array(8 * 28 * 28));
  await bench.store.put(labels, Uint8Array.of(0, 2, 0, 2, 0, 2, 0, 2));
  await writeManifest(bench.store, {
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
  const events = await bench.run(body);
  const warnings = events.filter((event) => event.type === "log" && event.level === "warning");
  expect(warnings).toEqual([
    {
      type: "log",
      level: "warning",
      message: expect.stringContaining("There is no training image of 'bee', 'dog'"),
    },
  ]);
  const saved = events.find((event) => event.type === "checkpoint")!.checkpoint;
  const resumed = await bench.run({ ...body, epochs: 2 }, {
    resumeFrom: { ...saved, createdAt: "2026-01-01T00:00:00.000Z" },
  });
  expect(resumed.filter((event) => event.type === "log" && event.level === "warning")).toEqual([]);
});

Deno.test("classes are matched by name in any order", () => {
  const labels = (classifier: string[], dataset: string[]) => {
    const match = matchClasses(classifier, dataset);
    return match.labels ? [...match.labels] : match.unknown;
  };
  expect(labels(["ant", "bee", "cow"], ["ant", "bee", "cow"])).toEqual([0, 1, 2]);
  expect(labels(["ant", "bee", "cow"], ["cow", "ant"])).toEqual([2, 0]);
  expect(labels(DIGITS, DIGITS.slice(3, 5))).toEqual([3, 4]);
  expect(labels(["ant", "bee"], ["bee", "cow", "dog"])).toEqual(["cow", "dog"]);
  expect(labels(["constructor", "__proto__"], ["__proto__"])).toEqual([1]);
  // Two names that normalize to the same keep their own labels.
  expect(labels(["e\u0301", "\u00e9"], ["\u00e9", "e\u0301"])).toEqual([1, 0]);
});

Deno.test("the largest result of a classifier fits in a row with the largest request", async () => {
  const largest = (classes: number, length: number) => {
    const counts = new Uint32Array(classes * classes).fill(2 ** 32 - 1);
    const names = Array.from({ length: classes }, () => "\u732b".repeat(length));
    const summary = confusionSummary(`job_${"0".repeat(26)}`, names, { classes, counts });
    const checkpoint = `ckpt_${"0".repeat(26)}`;
    return { accuracy: 1 / 3, loss: 1 / 3, ...summary, images: 2 ** 32 - 1, checkpoint };
  };
  // Names of the longest length that is in the result, of the next length, and the largest number of classes.
  const fits = Math.floor((MAX_INLINE_NAMES - 1) / MAX_INLINE_CLASSES) - 3;
  expect(largest(MAX_INLINE_CLASSES, fits)).toHaveProperty("classNames");
  expect(largest(MAX_INLINE_CLASSES, fits + 1)).not.toHaveProperty("classNames");
  expect(largest(MAX_INLINE_CLASSES + 1, 1)).not.toHaveProperty("confusion");
  const metadata = Object.fromEntries(
    Array.from({ length: 16 }, (_, at) => [`${at}`.padEnd(64, "ж"), "ж".repeat(512)]),
  );
  await withStore(async ({ store, running }) => {
    for (const result of [largest(MAX_INLINE_CLASSES, fits), largest(4096, 255)]) {
      expect(resultBytes(result)).toBeLessThan(RESULT_BYTES);
      const { id, claim } = await running({ metadata, name: "ж".repeat(128) });
      await claim.finish({ type: "succeeded", result });
      expect(await store.get(id)).toMatchObject({ status: "succeeded", result });
    }
  });
});
