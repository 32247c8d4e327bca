import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import {
  type AddressBits,
  instantiate,
  type KernelName,
  loadKernels,
} from "../../model/backends/simd/instance.ts";
import type { PlanOptions } from "../../model/backends/simd/plan/planTraining.ts";
import { PlannedStepper } from "../../model/backends/simd/plan/plannedStepper.ts";
import type { MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import type { StepperOptions, StepPlanner } from "../../model/training/stepper.ts";
import { train } from "../../model/training/trainer.ts";
import { type Architecture, initialWeights, parameterSpecs } from "../../model/weights.ts";

const GIB = 2 ** 30;

/** Returns a lazily allocated memory: a page that is never used costs nothing. */
function memoryOf(addressBits: AddressBits, bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / 65536);
  const descriptor = addressBits === 32
    ? { initial: pages, maximum: pages, shared: true }
    : { address: "i64", initial: BigInt(pages), maximum: BigInt(pages), shared: true };
  return new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
}

const FLOATS = 16384, INDICES = 8;
/** Returns the address of buffer i. */
const buffer = (base: number, i: number) => base + 4 * FLOATS * i;

/** Arguments of every kernel. The buffers 0 to 7 contain floats, buffer 8 contains indices from 0 to 3. */
const CALLS: Readonly<Record<KernelName, (at: (buffer: number) => number) => number[][]>> = {
  adamw: (at) => [[100, at(0), at(1), at(2), at(3), 2, 4 * FLOATS, 0.99, 0.1, 0.9, 0.01, 1, 1e-8, 0.1]],
  add: (at) => [[99, 33, at(0), at(1), at(2)]],
  attention: (at) => [[2, 11, 2, 6, at(0), 0, at(1), at(2), at(3), at(4), 0.4], [
    ...[2, 11, 2, 6, at(0), at(5), at(1), at(2), at(3), at(4), 0.4],
  ]],
  attentionGradient: (at) => [
    [2, 11, 2, 6, at(0), at(5), at(1), at(2), at(3), at(4), at(6), 0.4],
  ],
  crossEntropy: (at) => [[5, 4, at(0), at(INDICES), at(1), at(2)]],
  gatherRows: (at) => [[9, 13, at(0), at(1), at(INDICES), at(2)]],
  gelu: (at) => [[103, at(0), at(1), at(2)]],
  gemm: (at) => [
    [14, 19, 83, at(0), at(1), 4 * 19, 4, at(2), at(3), at(4), at(5)],
    [109, 32, 24, at(0), at(1), 4, 4 * 24, at(2), 0, 0, at(5)],
  ],
  gemmTransA: (at) => [
    [17, 21, 91, at(0), at(1), at(2), at(3), 0, 0],
    [40, 32, 91, at(0), at(1), at(2), at(3), at(4), 1],
  ],
  layerNorm: (at) => [[7, 39, at(0), at(1), at(2), at(3), at(4), at(5), 1e-5]],
  layerNormGradient: (at) => [[7, 39, at(0), at(1), at(2), at(3), at(4), at(5), at(6)]],
  maskedLoss: (at) => [[9, 21, at(0), at(1), at(2), at(3), at(4)]],
  meanPool: (at) => [[3, 5, 21, at(0), at(1)]],
  meanPoolGradient: (at) => [[3, 5, 21, at(0), at(1)]],
  multiply: (at) => [[103, at(0), at(1), at(2)]],
  scale: (at) => [[103, at(0), at(1), at(2)]],
  sumMaskedRows: (at) => [[11, 21, at(0), at(1), at(2)]],
  sumRows: (at) => [[11, 101, at(0), at(1)]],
  zero: (at) => [[at(0), 77]],
};

/** Runs the calls of a kernel. @param base address of the buffers @returns all values of the buffers */
function results(name: KernelName, addressBits: AddressBits, base: number): Float32Array {
  const count = 10 * FLOATS, memory = memoryOf(addressBits, base + 4 * count);
  const values = new Float32Array(memory.buffer, base, count);
  values.set(
    Float32Array.from({ length: count }, (_, i) => Math.sin(i) ** 2),
  );
  new Int32Array(memory.buffer, buffer(base, INDICES), FLOATS).forEach((_, i, all) => all[i] = i % 4);
  const kernels = instantiate(loadKernels({ shared: true, vectorBits: 256, addressBits }), memory);
  for (const call of CALLS[name]((i) => buffer(base, i))) kernels[name](...call);
  return values;
}

for (const name of Object.keys(CALLS) as KernelName[]) {
  Deno.test(`${name} gives the same bits with 64-bit addresses, below and above 4 GiB`, () => {
    const expected = results(name, 32, 1024);
    for (const base of [1024, 5 * GIB]) {
      const actual = results(name, 64, base);
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
  dropout: 0.1,
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
