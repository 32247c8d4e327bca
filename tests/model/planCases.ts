/**
 * Small trainings for the tests of planned steps, for any backend.
 *
 * @module
 */
import { expect } from "expect";
import { selectBackend, type SelectOptions } from "../../model/backends/select.ts";
import type { MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { train, type TrainerState, type TrainOptions } from "../../model/training/trainer.ts";
import { type Architecture, initialWeights, parameterSpecs } from "../../model/weights.ts";

/** Widths that are not multiples of 8, and batch sizes that are not multiples of the number of threads. */
const config = {
  ...PRESETS.mnist,
  imageSize: 9,
  patchSize: 3,
  inChannels: 3,
  embedDim: 15,
  depth: 2,
  numHeads: 3,
  decoderEmbedDim: 10,
  decoderDepth: 1,
  decoderNumHeads: 2,
  maskRatio: 0.6,
};
const BATCH_SIZES = [21, 21, 2, 1];

/** Options of a training over batches of several sizes. */
export function options(
  architecture: Architecture,
  threads: number,
  more: Partial<TrainOptions> = {},
): TrainOptions {
  return {
    config,
    architecture,
    initial: () => initialWeights(parameterSpecs(more.config ?? config, architecture), 4),
    // With a large eps, updates from gradients that are only rounding errors stay small.
    optimizer: { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-2 },
    schedule: { kind: "constant", lr: 0.002, minLr: 0, warmupSteps: 0, totalSteps: 2 * BATCH_SIZES.length },
    stepsPerEpoch: BATCH_SIZES.length,
    batchSize: Math.max(...BATCH_SIZES),
    threads,
    seed: 6,
    checkpointSteps: 100,
    *batches(epoch, from) {
      for (const [step, size] of BATCH_SIZES.entries()) {
        if (step < from) continue;
        const pixels = uniform({ seed: 1, purpose: "images", epoch, step }, size * 9 * 9 * 3);
        yield { pixels, labels: Int32Array.from({ length: size }, (_, i) => (i + step) % 3) };
      }
    },
    ...more,
  };
}

/** Runs a training. Returns its losses, its number of threads, and its final state. @param losses receives the losses */
export async function run(
  backend: string,
  options: TrainOptions,
  { select, losses = [] }: { select?: SelectOptions; losses?: number[] } = {},
) {
  const { planner } = await selectBackend(backend, select);
  let state: TrainerState | undefined, threads = 0;
  for await (const event of train({ ...options, planner })) {
    if (event.type === "ready") {
      threads = event.threads;
      expect(event.note).toBe(null);
    } else if (event.type === "step") losses.push(event.loss);
    else if (event.type === "checkpoint") state = event.state;
  }
  return { losses, threads, state: state! };
}

/** The fields of published models. With this width, a chunk of 4 images would need more memory than one of 5. */
const published: MaeConfig = {
  ...config,
  embedDim: 12,
  decoderEmbedDim: 16,
  clsToken: true,
  positions: "sincos_2d",
  layerNormEps: 1e-6,
  normPixLoss: true,
  normalize: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] },
};

/** The kinds of training. */
export const CASES: { name: string; architecture: Architecture; more?: Partial<TrainOptions> }[] = [
  { name: "mae", architecture: { model: "mae" } },
  { name: "mae with dropout", architecture: { model: "mae" }, more: { config: { ...config, dropout: 0.2 } } },
  {
    name: "mae with stochastic depth",
    architecture: { model: "mae" },
    more: { config: { ...config, dropPath: 0.4, layerNormEps: 1e-3 } },
  },
  {
    name: "mae as published",
    architecture: { model: "mae" },
    more: { config: { ...published, dropPath: 0.3, dropout: 0.1 } },
  },
  {
    name: "classifier on the class token",
    architecture: { model: "classifier", classes: 3 },
    more: { config: { ...published, pool: "cls" } },
  },
  {
    name: "classifier on the mean of the patches with fc_norm",
    architecture: { model: "classifier", classes: 3 },
    more: { config: { ...published, fcNorm: true, dropPath: 0.3 } },
  },
  {
    name: "linear probe with fc_norm",
    architecture: { model: "classifier", classes: 3 },
    more: { config: { ...published, fcNorm: true }, freezeEncoder: true },
  },
  {
    name: "classifier with stochastic depth and dropout",
    architecture: { model: "classifier", classes: 3 },
    more: { config: { ...config, dropPath: 0.4, dropout: 0.2 } },
  },
  { name: "classifier", architecture: { model: "classifier", classes: 3 } },
  {
    name: "classifier with dropout",
    architecture: { model: "classifier", classes: 3 },
    more: { config: { ...config, dropout: 0.2 } },
  },
  { name: "linear probe", architecture: { model: "classifier", classes: 3 }, more: { freezeEncoder: true } },
];
