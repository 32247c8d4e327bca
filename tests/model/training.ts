/**
 * Tests of a small training, for any backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import type { BackendName } from "../../model/backends/list.ts";
import { selectBackend, type SelectOptions } from "../../model/backends/select.ts";
import { type MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";
import {
  train,
  type TrainerEvent,
  type TrainerState,
  type TrainOptions,
} from "../../model/training/trainer.ts";
import {
  type Architecture,
  bufferShapes,
  collectTensors,
  type HostTensor,
  type HostWeights,
  initialWeights,
  parameterSpecs,
} from "../../model/weights.ts";
import { titleOf } from "../setup/backends.ts";

const config: MaeConfig = {
  ...PRESETS.mnist,
  imageSize: 8,
  patchSize: 4,
  embedDim: 8,
  depth: 2,
  numHeads: 2,
  decoderEmbedDim: 8,
  decoderDepth: 1,
  decoderNumHeads: 2,
  maskRatio: 0.5,
  dropout: 0.1,
  dropPath: 0.1,
};
const MAE: Architecture = { model: "mae" };
const CLASSIFIER: Architecture = { model: "classifier", classes: 2 };
const STEPS_PER_EPOCH = 5, BATCH = 4;

/** Images whose upper (class 0) or lower half (class 1) is bright, with a little noise. */
function* batches(epoch: number, fromBatch: number) {
  for (let batch = fromBatch; batch < STEPS_PER_EPOCH; batch++) {
    const pixels = uniform({ seed: 1, purpose: "images", epoch, step: batch }, BATCH * 64).map((v) =>
      v * 0.1
    );
    const labels = Int32Array.from({ length: BATCH }, (_, i) => (i + batch) % 2);
    pixels.forEach((_, i) => {
      const isLower = i % 64 >= 32;
      if (isLower === (labels[Math.floor(i / 64)] === 1)) pixels[i] += 0.9;
    });
    yield { pixels, labels };
  }
}

/** Options of a training of 22 steps. */
export function options(architecture: Architecture, more: Partial<TrainOptions> = {}): TrainOptions {
  return {
    config,
    architecture,
    initial: () => initialWeights(parameterSpecs(config, architecture), 4),
    optimizer: { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 },
    schedule: { kind: "cosine", lr: 0.01, minLr: 1e-4, warmupSteps: 3, totalSteps: 22 },
    stepsPerEpoch: STEPS_PER_EPOCH,
    batchSize: BATCH,
    seed: 6,
    checkpointSteps: 7,
    batches,
    ...more,
  };
}

type EmittedEvent = Exclude<TrainerEvent, { type: "ready" | "steps" }>;

/** Copies a state, whose arrays are views that the next step changes. */
export function copyState(state: TrainerState): TrainerState {
  const copy = (weights: HostWeights) =>
    new Map([...weights].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
  const { step, expAvg, expAvgSq } = state.optimizer;
  const optimizer = { step, expAvg: copy(expAvg), expAvgSq: copy(expAvgSq) };
  return { ...state, weights: copy(state.weights), optimizer };
}

/** Returns every event after `ready`. */
export async function collect(run: AsyncGenerator<TrainerEvent, void>): Promise<EmittedEvent[]> {
  const events: EmittedEvent[] = [];
  for await (const event of run) {
    if (event.type === "checkpoint") events.push({ ...event, state: copyState(event.state) });
    else if (event.type !== "ready" && event.type !== "steps") events.push(event);
  }
  return events;
}

const lossesOf = (events: EmittedEvent[]) => events.flatMap((e) => e.type === "step" ? [e.loss] : []);
const epochsOf = (events: EmittedEvent[]) => events.flatMap((e) => e.type === "epoch" ? [e] : []);
const statesOf = (events: EmittedEvent[]) => events.flatMap((e) => e.type === "checkpoint" ? [e.state] : []);
const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;

/** Tests training on a backend. */
export function testTraining(backend: BackendName, threads: number, select: SelectOptions = {}): void {
  const on = `${titleOf(backend, select)}, ${threads} threads: `;
  for (const architecture of [MAE, CLASSIFIER]) {
    Deno.test(`${on}${architecture.model}: the loss falls, and steps, epochs and checkpoints are emitted in order`, async () => {
      const { planner } = await selectBackend(backend, select);
      const tensors = tf.memory().numTensors;
      const events = await collect(
        train(
          options(architecture, {
            threads,
            planner,
            schedule: { ...options(architecture).schedule, totalSteps: 60 },
          }),
        ),
      );
      const losses = lossesOf(events);
      expect(mean(losses.slice(-10))).toBeLessThan(mean(losses.slice(0, 5)) * 0.7);
      expect(events.filter((e) => e.type === "step").map((e) => e.step)).toEqual(losses.map((_, i) => i + 1));
      expect(epochsOf(events).map((e) => e.epoch)).toEqual(Array.from({ length: 12 }, (_, i) => i));
      epochsOf(events).forEach((e, i) =>
        expect(e.loss).toBeCloseTo(mean(losses.slice(i * 5, i * 5 + 5)), 12)
      );
      expect(statesOf(events).map((state) => state.step)).toEqual([7, 14, 21, 28, 35, 42, 49, 56, 60]);
      expect(tf.memory().numTensors).toBe(tensors);
    });

    Deno.test(`${on}${architecture.model}: a training resumed in the middle of an epoch has the same bits as an uninterrupted one`, async () => {
      const { planner } = await selectBackend(backend, select);
      const whole = await collect(train(options(architecture, { threads, planner })));
      expect(await collect(train(options(architecture, { threads, planner })))).toEqual(whole);
      const saved = statesOf(whole).find((state) => state.step === 7) as TrainerState;
      const rest = await collect(train(options(architecture, { threads, planner }), { resumeFrom: saved }));
      expect(rest).toEqual(whole.filter((event) => event.step > 7));
      expect(lossesOf(rest).length).toBe(15);
    });
  }

  Deno.test(on + "stored positions are used, kept and restored, and not trained", async () => {
    const { planner } = await selectBackend(backend, select);
    const stored = { ...config, clsToken: true, positions: "stored" } as const;
    const specs = parameterSpecs(stored, MAE), shapes = bufferShapes(stored, MAE);
    const run = (scale: number, resumeFrom?: TrainerState) => {
      const tables = [...shapes].map(([name, shape]) => {
        return [name, {
          shape,
          data: new Float32Array(sizeOf(shape)).map((_, i) => scale * (i % 7)),
        }] as const;
      });
      const initial = () => new Map<string, HostTensor>([...tables, ...initialWeights(specs, 4)]);
      return collect(train(options(MAE, { config: stored, initial, threads, planner }), { resumeFrom }));
    };
    const whole = await run(0.1), saved = statesOf(whole).find((state) => state.step === 7)!;
    for (const [name, shape] of shapes) {
      const { data } = statesOf(whole).at(-1)!.weights.get(name)!;
      expect(data).toEqual(new Float32Array(sizeOf(shape)).map((_, i) => 0.1 * (i % 7)));
    }
    // The tables come from the state, not from the initial values.
    expect(await run(0.5, saved)).toEqual(whole.filter((event) => event.step > 7));
    expect(lossesOf(await run(0.5))).not.toEqual(lossesOf(whole));
  });

  Deno.test(on + "another seed has other masks and other losses", async () => {
    const { planner } = await selectBackend(backend, select);
    const first = lossesOf(await collect(train(options(MAE, { threads, planner }))));
    expect(lossesOf(await collect(train(options(MAE, { seed: 7, threads, planner }))))).not.toEqual(first);
  });

  Deno.test(on + "a linear probe changes only the head", async () => {
    const { planner } = await selectBackend(backend, select);
    const start = options(CLASSIFIER), weights = await collectTensors(await start.initial());
    const events = await collect(train({ ...start, freezeEncoder: true, threads, planner }));
    for (const [name, { data }] of statesOf(events).at(-1)!.weights) {
      if (name.startsWith("head.")) expect(data).not.toEqual(weights.get(name)!.data);
      else expect(data).toEqual(weights.get(name)!.data);
    }
  });

  Deno.test(on + "a loss that is not finite ends the training before the step is saved", async () => {
    const { planner } = await selectBackend(backend, select);
    const weights = await collectTensors(await options(MAE).initial());
    const bias = weights.get("decoder.decoder_pred.bias")!;
    weights.set("decoder.decoder_pred.bias", { ...bias, data: bias.data.map(() => 1e30) });
    const seen: EmittedEvent[] = [];
    const run = async () => {
      for await (const event of train(options(MAE, { initial: () => weights, threads, planner }))) {
        if (event.type !== "ready" && event.type !== "steps") seen.push(event);
      }
    };
    await expect(run()).rejects.toMatchObject({ name: "TrainingError", code: "loss_not_finite" });
    expect(seen).toEqual([]);
  });

  Deno.test(on + "an abort ends the training between two steps and frees all tensors", async () => {
    const { planner } = await selectBackend(backend, select);
    const tensors = tf.memory().numTensors;
    const stop = new AbortController();
    const seen: EmittedEvent[] = [];
    const run = async () => {
      for await (const event of train(options(MAE, { threads, planner }), { signal: stop.signal })) {
        if (event.type === "ready" || event.type === "steps") continue;
        seen.push(event);
        if (event.step === 3) stop.abort(new Error("enough"));
      }
    };
    await expect(run()).rejects.toThrow("enough");
    expect(lossesOf(seen).length).toBe(3);
    expect(tf.memory().numTensors).toBe(tensors);
  });

  Deno.test(on + "an epoch with too few batches is an error", async () => {
    const { planner } = await selectBackend(backend, select);
    const short = (epoch: number, from: number) => [...batches(epoch, from)].slice(0, 2);
    await expect(collect(train(options(MAE, { batches: short, threads, planner })))).rejects.toMatchObject({
      code: "data_ended",
    });
  });
}
