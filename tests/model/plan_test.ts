import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { planTraining } from "../../model/backends/simd/plan/planTraining.ts";
import { trainingBytes } from "../../model/memory.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { train, type TrainerState, type TrainOptions } from "../../model/training/trainer.ts";
import {
  type Architecture,
  initialWeights,
  isTrainable,
  type ParameterSpec,
  parameterSpecs,
} from "../../model/weights.ts";

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

function options(
  architecture: Architecture,
  threads: number,
  more: Partial<TrainOptions> = {},
): TrainOptions {
  return {
    config,
    architecture,
    initial: () => initialWeights(parameterSpecs(config, architecture), 4),
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

async function run(backend: string, options: TrainOptions) {
  const { planner } = await selectBackend(backend);
  const losses: number[] = [];
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

const CASES: { name: string; architecture: Architecture; more?: Partial<TrainOptions> }[] = [
  { name: "mae", architecture: { model: "mae" } },
  { name: "mae with dropout", architecture: { model: "mae" }, more: { config: { ...config, dropout: 0.2 } } },
  { name: "classifier", architecture: { model: "classifier", classes: 3 } },
  {
    name: "classifier with dropout",
    architecture: { model: "classifier", classes: 3 },
    more: { config: { ...config, dropout: 0.2 } },
  },
  { name: "linear probe", architecture: { model: "classifier", classes: 3 }, more: { freezeEncoder: true } },
];

for (const { name, architecture, more } of CASES) {
  Deno.test(`planned steps agree with TensorFlow.js for any number of threads and images: ${name}`, async () => {
    const eager = await run("cpu", options(architecture, 1, more));
    for (const threads of [1, 2, 5]) {
      const planned = await run("simd", options(architecture, threads, more));
      expect(planned.threads).toBe(threads);
      planned.losses.forEach((loss, i) =>
        expect(Math.abs(loss - eager.losses[i])).toBeLessThan(1e-5 * eager.losses[i])
      );
      for (const [key, { data }] of planned.state.weights) {
        const expected = eager.state.weights.get(key)!.data;
        data.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-6));
      }
      expect(planned.state.optimizer.step).toBe(eager.state.optimizer.step);
    }
  });
}

Deno.test("trainingBytes() is an upper estimate of the smallest plan, at most a few per cent above it", async () => {
  await selectBackend("simd");
  const { mnist, vit_base, vit_large } = PRESETS, shallow = { ...vit_base, depth: 2, decoderDepth: 1 };
  const configs = [mnist, vit_large, { ...shallow, dropout: 0.1 }, { ...shallow, imageSize: 512 }];
  const classifier = { model: "classifier", classes: 10 } as const;
  const tasks = [[{ model: "mae" }, false], [classifier, false], [classifier, true]] as const;
  for (const config of configs) {
    for (const [architecture, freezeEncoder] of tasks) {
      for (const batchSize of [1, 4]) {
        const specs = parameterSpecs(config, architecture);
        const isFrozen = ({ name }: ParameterSpec) => !isTrainable(name, freezeEncoder);
        const options = {
          task: { config, architecture, freezeEncoder, seed: 0 },
          trainable: specs.filter((spec) => !isFrozen(spec)),
          // A plan depends on the shapes alone.
          frozen: new Map(
            specs.filter(isFrozen).map(({ name, shape }) => [name, { shape, data: new Float32Array() }]),
          ),
          weights: new Map(),
          optimizer: { weightDecay: 0, betas: [0.9, 0.999], eps: 1e-8 } as const,
          batchSize,
          threads: 1,
        };
        const estimate = trainingBytes({ config, architecture, freezeEncoder }, batchSize);
        // A memory of the estimated size suffices.
        const { layout } = await planTraining({ ...options, maxBytes: estimate });
        // In a small model, alignment and scratch memory count.
        const margin = config.embedDim < 100 ? 1.4 : 1.1;
        expect(estimate / layout.bytes).toBeLessThan(margin);
      }
    }
  }
});
