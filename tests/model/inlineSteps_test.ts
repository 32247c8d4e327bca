import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { PRESETS } from "../../model/presets.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import { uniform } from "../../model/random.ts";
import { train, type TrainerEvent, type TrainOptions } from "../../model/training/trainer.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { copyState } from "./training.ts";

const config = { ...PRESETS.mnist, imageSize: 8, patchSize: 4, embedDim: 18, depth: 1, numHeads: 3 };
const architecture = { model: "classifier", classes: 3 } as const;
const weights = initialWeights(parameterSpecs(config, architecture), 4);
/** The last batch of an epoch is smaller. */
const BATCH_SIZES = Array.from({ length: 70 }, (_, i) => i === 69 ? 5 : 12);

const OPTIONS: Omit<TrainOptions, "batches"> = {
  config,
  architecture,
  freezeEncoder: true,
  initial: () => weights,
  optimizer: { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 },
  schedule: { kind: "cosine", lr: 0.01, minLr: 1e-4, warmupSteps: 10, totalSteps: 175 },
  stepsPerEpoch: BATCH_SIZES.length,
  batchSize: 12,
  threads: 3,
  seed: 6,
  checkpointSteps: 50,
};

function* images(epoch: number, from: number) {
  for (const [step, size] of BATCH_SIZES.entries()) {
    if (step < from) continue;
    const labels = Int32Array.from({ length: size }, (_, i) => (i + step) % 3);
    const pixels = uniform({ seed: 1, purpose: "images", epoch, step }, size * 64)
      .map((value, i) => value * 0.3 * (1 + labels[Math.floor(i / 64)]));
    yield { pixels, labels };
  }
}

const featuresOf = (predictor: Predictor) =>
  async function* (epoch: number, from: number) {
    for (const { pixels, labels } of images(epoch, from)) {
      yield { features: await predictor.features(pixels), labels };
    }
  };

async function collect(options: TrainOptions, resume: Parameters<typeof train>[1] = {}) {
  const events: TrainerEvent[] = [];
  for await (const event of train(options, resume)) {
    events.push(event.type === "checkpoint" ? { ...event, state: copyState(event.state) } : event);
  }
  return events;
}

const stepsOf = (events: TrainerEvent[]) =>
  events.flatMap((event) => event.type === "steps" ? event.steps : event.type === "step" ? [event] : []);

Deno.test("a linear probe on features has the losses and weights of one on images", async () => {
  const { planner } = await selectBackend("simd");
  const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
  const onImages = await collect({ ...OPTIONS, planner, batches: images });
  const onFeatures = { ...OPTIONS, planner, input: "features" as const, batches: featuresOf(predictor) };
  const events = await collect(onFeatures);
  expect(events[0]).toEqual({ type: "ready", threads: 1, note: null });
  const steps = stepsOf(events), expected = stepsOf(onImages);
  expect(steps.length).toBe(175);
  steps.forEach((step, i) => {
    const { loss, ...rest } = expected[i];
    expect(step).toMatchObject({ step: rest.step, epoch: rest.epoch, lr: rest.lr });
    expect(Math.abs(step.loss - loss)).toBeLessThan(1e-4 * loss);
  });
  const kinds = (all: TrainerEvent[]) =>
    all.flatMap((event) =>
      event.type === "epoch"
        ? [`epoch ${event.epoch} at ${event.step}`]
        : event.type === "checkpoint"
        ? [`checkpoint ${event.step} ${event.final}`]
        : []
    );
  expect(kinds(events)).toEqual(kinds(onImages));
  const state = events.flatMap((event) => event.type === "checkpoint" ? [event.state] : []);
  expect([...state[0].weights.keys()]).toEqual([...weights.keys()]);
  for (const [name, { data }] of state.at(-1)!.weights) {
    if (name.startsWith("encoder.")) expect(data).toEqual(weights.get(name)!.data);
    else expect(data).not.toEqual(weights.get(name)!.data);
  }

  const rest = await collect(onFeatures, { resumeFrom: state[0] });
  expect(stepsOf(rest)).toEqual(steps.slice(50));
  expect(rest.at(-1)).toEqual(events.at(-1));
  await predictor.dispose();
});

Deno.test("small steps are gathered in events if their batches are in memory", async () => {
  const { planner } = await selectBackend("simd");
  function* inMemory(epoch: number, from: number) {
    for (const { labels } of images(epoch, from)) {
      const features = uniform({ seed: 2, purpose: "features", epoch, step: labels[0] }, labels.length * 18);
      yield { features, labels };
    }
  }
  async function* computed(epoch: number, from: number) {
    for (const batch of inMemory(epoch, from)) yield await Promise.resolve(batch);
  }
  const all = { ...OPTIONS, planner, input: "features" as const };
  const gathered = await collect({ ...all, batches: inMemory });
  const single = await collect({ ...all, batches: computed });
  const sizes = (events: TrainerEvent[]) =>
    events.flatMap((event) => event.type === "steps" ? [event.steps.length] : []);
  // A checkpoint follows each 50 steps, and an epoch has 70.
  expect(sizes(gathered)).toEqual([48, 2, 20, 30, 40, 10, 25]);
  expect(sizes(single)).toEqual(Array.from({ length: 175 }, () => 1));
  expect(stepsOf(gathered)).toEqual(stepsOf(single));
  expect(gathered.at(-1)).toEqual(single.at(-1));
});

Deno.test("without a planner, steps on features run operation by operation", async () => {
  await selectBackend("cpu");
  const predictor = await openPredictor({ config, weights, threads: 1 });
  const schedule = { ...OPTIONS.schedule, totalSteps: 3 };
  const onImages = await collect({ ...OPTIONS, schedule, batches: images });
  const events = await collect({ ...OPTIONS, schedule, input: "features", batches: featuresOf(predictor) });
  expect(events.map(({ type }) => type)).toEqual(onImages.map(({ type }) => type));
  expect(stepsOf(events).length).toBe(3);
  stepsOf(events).forEach(({ loss }, i) => expect(loss).toBeCloseTo(stepsOf(onImages)[i].loss, 5));
  await predictor.dispose();
});

Deno.test("a small step with a loss that is not finite ends the training after the steps before it", async () => {
  const { planner } = await selectBackend("simd");
  const seen: TrainerEvent[] = [];
  const run = async () => {
    const options: TrainOptions = {
      ...OPTIONS,
      planner,
      input: "features",
      *batches() {
        for (let step = 0; step < 70; step++) {
          const features = new Float32Array(12 * 18).fill(step === 7 ? NaN : 0.5);
          yield { features, labels: new Int32Array(12) };
        }
      },
    };
    for await (const event of train(options)) seen.push(event);
  };
  await expect(run()).rejects.toMatchObject({
    code: "loss_not_finite",
    message: expect.stringContaining("The loss is NaN at step 8"),
  });
  expect(stepsOf(seen).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("large steps on features run in threads", async () => {
  const { planner } = await selectBackend("simd");
  const classes = 4000, architecture = { model: "classifier", classes } as const, batchSize = 128;
  const options: TrainOptions = {
    ...OPTIONS,
    planner,
    architecture,
    initial: () => initialWeights(parameterSpecs(config, architecture), 4),
    schedule: { ...OPTIONS.schedule, totalSteps: 2 },
    stepsPerEpoch: 2,
    batchSize,
    input: "features",
    *batches() {
      for (let step = 0; step < 2; step++) {
        const features = uniform({ seed: 1, purpose: "features", step }, batchSize * 18);
        yield { features, labels: Int32Array.from({ length: batchSize }, (_, i) => i) };
      }
    },
  };
  const events = await collect(options), inOneThread = await collect({ ...options, threads: 1 });
  expect(events.map(({ type }) => type)).toEqual(["ready", "step", "step", "epoch", "checkpoint"]);
  expect(events[0]).toMatchObject({ threads: 3 });
  stepsOf(events).forEach(({ loss }, i) => expect(loss).toBeCloseTo(stepsOf(inOneThread)[i].loss, 4));
});

Deno.test("a step on features rejects a batch that is larger than the planned one", async () => {
  const { planner } = await selectBackend("simd");
  const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
  const options = { ...OPTIONS, planner, input: "features" as const, batches: featuresOf(predictor) };
  await expect(collect({ ...options, batchSize: 11 })).rejects.toThrow(
    "The batch has 12 images, but the plan is for at most 11",
  );
});
