import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import type { MemoryLayout } from "../../model/backends/simd/plan/memoryLayout.ts";
import type { PlanOptions } from "../../model/backends/simd/plan/planTraining.ts";
import { TrainingMemory } from "../../model/backends/simd/plan/trainingMemory.ts";
import { PlannedStepper } from "../../model/backends/simd/plan/plannedStepper.ts";
import type { MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import type { StepperOptions, StepPlanner } from "../../model/training/stepper.ts";
import { train } from "../../model/training/trainer.ts";
import { type Architecture, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { KERNEL_NAMES, results } from "./kernelCalls.ts";

const GIB = 2 ** 30;

for (const name of KERNEL_NAMES) {
  Deno.test(`${name} gives the same bits with 64-bit addresses, below and above 4 GiB`, () => {
    const expected = results(name, { base: 1024 });
    for (const base of [1024, 5 * GIB]) {
      const actual = results(name, { addressBits: 64, base });
      expect(actual.findIndex((value, i) => !Object.is(value, expected[i]))).toBe(-1);
    }
  });
}

const CONFIG: MaeConfig = {
  ...PRESETS.mnist,
  imageSize: 12,
  patchSize: 3,
  embedDim: 24,
  depth: 2,
  numHeads: 3,
  decoderEmbedDim: 16,
  decoderDepth: 1,
  decoderNumHeads: 2,
  clsToken: true,
  positions: "sincos_2d",
  dropout: 0.1,
  dropPath: 0.3,
};
const IMAGES = 7;

/** Trains two steps with two threads. Returns the losses, all weights and all moments. */
async function trained(architecture: Architecture, freezeEncoder: boolean, plan?: PlanOptions) {
  await selectBackend("simd");
  let stepper: PlannedStepper;
  const openStepper = async (options: StepperOptions) =>
    stepper = await PlannedStepper.open(options, 128, plan);
  const events = train({
    config: CONFIG,
    architecture,
    freezeEncoder,
    seed: 3,
    planner: { openStepper },
    initial: () => initialWeights(parameterSpecs(CONFIG, architecture), 4),
    optimizer: { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 },
    schedule: { kind: "constant", lr: 0.002, minLr: 0, warmupSteps: 0, totalSteps: 2 },
    stepsPerEpoch: 2,
    batchSize: IMAGES,
    threads: 2,
    checkpointSteps: 2,
    *batches(_epoch, from) {
      for (let step = from; step < 2; step++) {
        const pixels = uniform({ seed: 1, purpose: "images", step }, IMAGES * CONFIG.imageSize ** 2);
        yield { pixels, labels: Int32Array.from({ length: IMAGES }, (_, i) => (i + step) % 3) };
      }
    },
  });
  const values: number[] = [];
  for await (const event of events) {
    if (event.type === "step") values.push(event.loss);
    if (event.type !== "checkpoint") continue;
    const { weights, optimizer: { expAvg, expAvgSq } } = event.state;
    for (const map of [weights, expAvg, expAvgSq]) for (const { data } of map.values()) values.push(...data);
  }
  return { values, bytes: stepper!.bytes, addressBits: stepper!.addressBits };
}

const MODELS: [name: string, architecture: Architecture, freezeEncoder: boolean][] = [
  ["a masked autoencoder", { model: "mae" }, false],
  ["a classifier", { model: "classifier", classes: 3 }, false],
  ["a linear probe", { model: "classifier", classes: 3 }, true],
];

for (const [name, architecture, freezeEncoder] of MODELS) {
  Deno.test(`${name} trains with the same bits with 64-bit addresses, below and above 4 GiB`, async () => {
    const expected = await trained(architecture, freezeEncoder);
    expect(expected.addressBits).toBe(32);
    for (const plan of [{ addressBits: 64 }, { start: 5 * GIB }] satisfies PlanOptions[]) {
      const actual = await trained(architecture, freezeEncoder, plan);
      expect(actual.addressBits).toBe(64);
      expect(actual.values.findIndex((value, i) => !Object.is(value, expected.values[i]))).toBe(-1);
    }
  });
}

Deno.test("a training that does not fit into the memory it may use fails with the numbers", async () => {
  await selectBackend("simd");
  const planner: StepPlanner = {
    openStepper: (options) => PlannedStepper.open({ ...options, maxBytes: 2 ** 16 }),
  };
  const events = train({
    config: CONFIG,
    architecture: { model: "mae" },
    seed: 3,
    planner,
    initial: () => initialWeights(parameterSpecs(CONFIG, { model: "mae" }), 4),
    optimizer: { weightDecay: 0, betas: [0.9, 0.999], eps: 1e-8 },
    schedule: { kind: "constant", lr: 0.002, minLr: 0, warmupSteps: 0, totalSteps: 1 },
    stepsPerEpoch: 1,
    batchSize: 1,
    checkpointSteps: 1,
    batches: () => [],
  });
  await expect(events.next()).rejects.toMatchObject({
    code: "out_of_memory",
    message: /needs 0\.0 GiB of memory, and may use 0\.0 GiB: choose a smaller batch_size or model/,
  });
});

Deno.test("a memory that the system does not provide ends the training with the numbers", () => {
  const original = WebAssembly.Memory;
  try {
    WebAssembly.Memory = class {
      constructor() {
        throw new RangeError("could not allocate memory");
      }
    } as unknown as typeof WebAssembly.Memory;
    const layout = { bytes: 6 * GIB, constants: 0 } as MemoryLayout;
    expect(() => new TrainingMemory(layout, 0, 64)).toThrow(expect.objectContaining({
      code: "out_of_memory",
      message:
        "A training step needs 6.0 GiB of memory, which the system does not provide: choose a smaller batch_size or model",
    }));
  } finally {
    WebAssembly.Memory = original;
  }
});
