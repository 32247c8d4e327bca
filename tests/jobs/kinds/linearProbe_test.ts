import { expect } from "expect";
import type { ImageSet } from "../../../data/datasets/dataset.ts";
import { digitsInfo } from "../../../data/datasets/builtIn/digits.ts";
import { writeManifest } from "../../../data/datasets/stored/manifest.ts";
import { featuresOfBatch } from "../../../jobs/kinds/compute/features.ts";
import { ProbeFeatures } from "../../../jobs/kinds/compute/probeFeatures.ts";
import type { KindContext, KindEvent } from "../../../jobs/kinds/kind.ts";
import { runJob } from "../../../jobs/kinds/mod.ts";
import { DEFAULT_KIND_SETTINGS } from "../../../jobs/kinds/settings.ts";
import { loadWeights } from "../../../jobs/artifacts/readCheckpoint.ts";
import { selectBackend } from "../../../model/backends/select.ts";
import { imageDim } from "../../../model/config.ts";
import type { Predictor } from "../../../model/prediction/predictor.ts";
import { PRESETS } from "../../../model/presets.ts";
import { encoderSpecs, initialWeights } from "../../../model/weights.ts";
import { eventsOf, KindHarness, withCreatedAt } from "./harness.ts";

const IMAGES = 200;
const PROBE = { kind: "linear_probe", dataset: { id: "digits", size: IMAGES }, batch_size: 32, lr: 1e-2 };

const checkpointsOf = (events: KindEvent[]) =>
  eventsOf(events, "checkpoint").map(({ checkpoint }) => withCreatedAt(checkpoint));
const stepsOf = (events: KindEvent[]) => eventsOf(events, "steps").flatMap(({ steps }) => steps);
const resultOf = (events: KindEvent[]) => {
  const { checkpoint: _, confusionUrl: __, ...result } = eventsOf(events, "result")[0].result;
  return result;
};

/** Runs probes of an encoder. */
class Probes implements AsyncDisposable {
  private constructor(readonly harness: KindHarness, readonly options: Partial<KindContext>) {}

  static async open(): Promise<Probes> {
    const harness = await KindHarness.open();
    return new Probes(harness, { source: await harness.storeModel("mae") });
  }

  context(body: Record<string, unknown>, options: Partial<KindContext> = {}): KindContext {
    const { id: checkpoint } = this.options.source!;
    return this.harness.context({ ...PROBE, checkpoint, ...body }, { ...this.options, ...options });
  }

  async run(body: Record<string, unknown>, options: Partial<KindContext> = {}): Promise<KindEvent[]> {
    const events: KindEvent[] = [];
    for await (const event of runJob(this.context(body, options))) events.push(structuredClone(event));
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.harness[Symbol.asyncDispose]();
  }
}

const withFeatureBytes = (maxFeatureBytes: number) => ({
  settings: { ...DEFAULT_KIND_SETTINGS, maxFeatureBytes },
});

Deno.test("a probe computes the features before its first step, and ends with the same bits as one that computes them in every epoch", async () => {
  await using probes = await Probes.open();
  for (const body of [{ epochs: 3 }, { epochs: 2, drop_last: false }]) {
    const kept = await probes.run(body);
    const [first] = eventsOf(kept, "features"), last = eventsOf(kept, "features").at(-1);
    expect(first).toEqual({ type: "features", images: 0, total: IMAGES });
    expect(last).toEqual({ type: "features", images: IMAGES, total: IMAGES });
    const types = kept.map(({ type }) => type);
    expect(types.indexOf("started")).toBeLessThan(types.indexOf("features"));
    expect(types.lastIndexOf("features")).toBeLessThan(types.indexOf("steps"));
    expect(resultOf(kept)).toMatchObject({ testAccuracy: expect.any(Number), testLoss: expect.any(Number) });

    const bytes = 4 * IMAGES * 16;
    expect(eventsOf(await probes.run({ max_steps: 1 }, withFeatureBytes(bytes)), "features").length).toBe(2);
    const computed = await probes.run(body, withFeatureBytes(bytes - 1));
    expect(eventsOf(computed, "features")).toEqual([]);
    expect(eventsOf(computed, "log")).toContainEqual({
      type: "log",
      level: "warning",
      message: expect.stringMatching(/12800 bytes, and the limit is 12799 \(UNMASK_MAX_FEATURE_BYTES\)/),
    });
    expect(stepsOf(computed)).toEqual(stepsOf(kept));
    expect(resultOf(computed)).toEqual(resultOf(kept));
    const digests = (events: KindEvent[]) => checkpointsOf(events).map(({ sha256 }) => sha256);
    expect(digests(computed)).toEqual(digests(kept));
    const compute = { ...DEFAULT_KIND_SETTINGS.compute, threads: 3 };
    const inThreads = await probes.run(body, { settings: { ...DEFAULT_KIND_SETTINGS, compute } });
    expect(digests(inThreads)).toEqual(digests(kept));
  }
});

Deno.test("evaluating the classifier of a probe reports the accuracy and the loss of the probe", async () => {
  await using probes = await Probes.open();
  // The limit of the features has room for those of the training images, and for those of both splits.
  for (const options of [{}, withFeatureBytes(4 * IMAGES * 16)]) {
    const probed = await probes.run({ epochs: 2 }, options), [, source] = checkpointsOf(probed);
    const { dataset, batch_size } = PROBE;
    const body = { kind: "evaluate", checkpoint: source.id, dataset, batch_size };
    const { accuracy, loss } = eventsOf(await probes.harness.run(body, { source }), "result")[0].result;
    expect(resultOf(probed)).toMatchObject({ testAccuracy: accuracy, testLoss: loss });
  }
});

Deno.test("a probe that resumes in the middle of an epoch ends with the same bits", async () => {
  await using probes = await Probes.open();
  const body = { epochs: 4, checkpoint_every: { steps: 10 } };
  const whole = await probes.run(body), saved = checkpointsOf(whole)[0];
  expect(saved.step).toBe(10);
  const rest = await probes.run(body, { resumePoints: [saved] });
  expect(eventsOf(rest, "started")[0]).toMatchObject({ step: 10 });
  expect(eventsOf(rest, "features").at(-1)).toMatchObject({ images: IMAGES });
  expect(stepsOf(rest)).toEqual(stepsOf(whole).slice(10));
  expect(checkpointsOf(rest).at(-1)!.sha256).toBe(checkpointsOf(whole).at(-1)!.sha256);
  expect(resultOf(rest)).toEqual(resultOf(whole));

  const end = await probes.run(body, { resumePoints: [checkpointsOf(whole).at(-1)!] });
  expect(eventsOf(end, "features")).toEqual([]);
  expect(resultOf(end)).toEqual(resultOf(whole));
});

Deno.test("a probe stops while it computes the features", async () => {
  await using probes = await Probes.open();
  const stop = new AbortController(), seen: KindEvent[] = [];
  const run = async () => {
    for await (const event of runJob(probes.context({}, { signal: stop.signal }))) {
      seen.push(event);
      if (event.type === "features") stop.abort(new Error("stopped"));
    }
  };
  await expect(run()).rejects.toThrow("stopped");
  expect(eventsOf(seen, "features").length).toBe(1);
  expect(eventsOf(seen, "steps")).toEqual([]);
});

Deno.test("a probe without features in memory reports each step, and stops after it", async () => {
  await using probes = await Probes.open();
  const stop = new AbortController(), seen: KindEvent[] = [];
  const context = probes.context({ drop_last: false }, { ...withFeatureBytes(0), signal: stop.signal });
  const run = async () => {
    for await (const event of runJob(context)) {
      seen.push(event);
      if (event.type === "steps") stop.abort(new Error("stopped"));
    }
  };
  await expect(run()).rejects.toThrow("stopped");
  expect(stepsOf(seen).map(({ step }) => step)).toEqual([1]);
});

Deno.test("the features of a batch that takes several predictions end when the run is stopped", async () => {
  const stop = new AbortController(), config = PRESETS.vit_base;
  let predictions = 0;
  const predictor = {
    config,
    threads: 1,
    features() {
      predictions++;
      stop.abort(new Error("stopped"));
      return Promise.resolve(new Float32Array(config.embedDim));
    },
  } as unknown as Predictor;
  const pixels = new Float32Array(8 * imageDim(config));
  await expect(featuresOfBatch(predictor, pixels, stop.signal)).rejects.toThrow("stopped");
  expect(predictions).toBe(1);
});

Deno.test("a probe that ends early does not compute the features of the whole test split", async () => {
  await using probes = await Probes.open();
  const context = probes.context({}), { config } = context.source!, count = 20 * 1024;
  const weights = initialWeights(encoderSpecs(config), 1), labels = new Uint16Array(count);
  const pixels = new Uint8Array(count * imageDim(config));
  let batches = 0;
  const images = { count, imageSize: config.imageSize, channels: 1, labels } as const;
  const test: ImageSet = {
    ...images,
    get pixels() {
      batches++;
      return pixels;
    },
  };
  const train: ImageSet = { ...images, count: 1, pixels };
  const backend = await selectBackend("simd"), loadTest = () => Promise.resolve(test);
  {
    await using features = new ProbeFeatures(context, { backend, config, train, testCount: count, loadTest });
    for await (const _ of features.open(weights));
  }
  expect(batches).toBeLessThan(3);
});

Deno.test("a probe of a data set without a test split has no accuracy", async () => {
  await using probes = await Probes.open();
  const { store } = probes.harness, id = `ds_${"0".repeat(26)}`, count = 24;
  const [images, labels] = ["train-images.raw", "train-labels.raw"].map((name) => `datasets/${id}/${name}`);
  await store.put(images, Uint8Array.from({ length: count * 784 }, (_, i) => i % 251));
  await store.put(labels, Uint8Array.from({ length: count }, (_, i) => i % 10));
  await writeManifest(store, {
    info: { ...digitsInfo(count), id, source: "upload", splits: { train: { count }, test: { count: 0 } } },
    storage: { kind: "raw", train: { count, images, labels }, test: null, heldOut: null },
  });
  const events = await probes.run({ dataset: id, batch_size: 8, epochs: 2 });
  expect(stepsOf(events).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(resultOf(events)).toEqual({ loss: expect.any(Number), steps: 6 });
  const head = (await loadWeights(store, checkpointsOf(events)[1])).get("head.weight")!;
  expect(head.shape).toEqual([10, 16]);
});
