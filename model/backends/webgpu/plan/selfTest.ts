/**
 * Tests the programs of a planned training before it uses them: a step of a small model, whose programs are the same,
 * is compared with our WebAssembly kernels. A faulty driver computes wrong numbers without an error.
 *
 * @module
 */
import { completeConfig, imageDim, type MaeConfig, numKeep } from "../../../config.ts";
import { uniform } from "../../../random.ts";
import type { Task, TrainingBatch } from "../../../training/objective.ts";
import type { Stepper, StepperOptions } from "../../../training/stepper.ts";
import {
  type HostTensor,
  type HostWeights,
  initialWeights,
  isTrainable,
  parameterSpecs,
} from "../../../weights.ts";
import { BackendError } from "../../backend.ts";
import { PlannedStepper } from "../../simd/plan/plannedStepper.ts";
import { attentionThreads } from "../kernels/attention.ts";
import type { TileWidth } from "../kernels/gemm.ts";

/** A small training. Its programs, except those of a certain width, are those of all trainings of an MAE. */
export const SMALL_TASK: Task = {
  config: completeConfig({
    imageSize: 12,
    patchSize: 3,
    inChannels: 3,
    embedDim: 12,
    depth: 1,
    numHeads: 2,
    decoderEmbedDim: 8,
    decoderDepth: 1,
    decoderNumHeads: 2,
  }),
  architecture: { model: "mae" },
  seed: 0,
};

const IMAGES = 2, LR = 1e-3;
const OPTIMIZER = { weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 } as const;

/** What selects the programs of an attention over this number of tokens. */
const attentionKind = (tokens: number) => `${attentionThreads(tokens)} ${tokens > attentionThreads(tokens)}`;

/** Returns a model with one block each, or two with stochastic depth, whose training uses the programs of `config`, with as few patches as possible. */
function smallModel(config: MaeConfig, masked: boolean): MaeConfig {
  const tokens = (side: number) => {
    const patches = side ** 2;
    return { patches, keep: masked ? numKeep(patches, config.maskRatio) : patches };
  };
  const fullSide = config.imageSize / config.patchSize, full = tokens(fullSide);
  const extra = Number(config.clsToken), kind = (patches: number) => attentionKind(patches + extra);
  const isEnough = (side: number) => {
    const { patches, keep } = tokens(side), hasBoth = keep > 0 && keep < patches;
    return (hasBoth || !masked) && kind(keep) === kind(full.keep) && kind(patches) === kind(full.patches);
  };
  let side = 2;
  while (side < fullSide && !isEnough(side)) side++;
  return {
    ...config,
    imageSize: Math.min(side, fullSide) * config.patchSize,
    // The first block skips no branch.
    depth: Math.min(config.dropPath > 0 ? 2 : 1, config.depth),
    decoderDepth: Math.min(1, config.decoderDepth),
    // A stored table has a row for each patch of the whole image. The programs are the same for any table.
    positions: "sincos_1d",
  };
}

/** Returns the options of the training that tests the programs of a task. */
function smallTraining(task: Task): StepperOptions {
  const { architecture, freezeEncoder = false } = task;
  const config = smallModel(task.config, architecture.model === "mae");
  const specs = parameterSpecs(config, architecture), weights = initialWeights(specs, 1);
  const trainable = specs.filter(({ name }) => isTrainable(name, freezeEncoder));
  return {
    task: { ...task, config, tables: undefined },
    trainable,
    frozen: new Map([...weights].filter(([name]) => !isTrainable(name, freezeEncoder))),
    weights,
    optimizer: OPTIMIZER,
    batchSize: IMAGES,
    threads: 1,
  };
}

function randomBatch({ config, architecture, input }: Task): TrainingBatch {
  const labels = Int32Array.of(0, architecture.model === "classifier" ? architecture.classes - 1 : 0);
  const values = (size: number) => uniform({ seed: 1, purpose: "self-test" }, IMAGES * size);
  return input === "features"
    ? { features: values(config.embedDim), labels }
    : { pixels: values(imageDim(config)), labels };
}

/** Runs steps. Returns the loss, the parameters and the moments after each. */
async function results(stepper: Stepper, batch: TrainingBatch, steps: number): Promise<HostWeights[]> {
  try {
    const afterSteps: HostWeights[] = [];
    for (let step = 0; step < steps; step++) {
      const loss = await (await stepper.prepare(batch, 0, step))(LR);
      const all = new Map<string, HostTensor>([["loss", { shape: [1], data: Float32Array.of(loss) }]]);
      const { expAvg, expAvgSq } = await stepper.state();
      for (const [kind, values] of Object.entries({ parameter: await stepper.weights(), expAvg, expAvgSq })) {
        // A copy, because the next step changes the stepper's memory.
        for (const [name, { shape, data }] of values) {
          all.set(`${kind} ${name}`, { shape, data: data.slice() });
        }
      }
      afterSteps.push(all);
    }
    return afterSteps;
  } finally {
    await stepper.dispose();
  }
}

/**
 * Whether a value is a key's bias. Its exact gradient is zero, because it does not change the softmax, so AdamW moves it
 * by rounding errors of any sign.
 */
function isKeyBias(name: string, index: number, length: number): boolean {
  return name.endsWith("in_proj_bias") && index >= length / 3 && index < 2 * length / 3;
}

/** Returns the first wrong result, or null. Errors are relative to the largest value of an array. */
function firstFault(found: HostWeights, expected: HostWeights): string | null {
  for (const [name, { data }] of expected) {
    const values = found.get(name)!.data;
    const largest = data.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    // AdamW divides by the root of the second moment, so it amplifies the error of a gradient near zero.
    const isParameter = name.startsWith("parameter"),
      tolerance = isParameter ? LR / 2 : 1e-3 * largest + 1e-12;
    const wrong = data.findIndex((value, i) =>
      !(isParameter && isKeyBias(name, i, data.length)) && !(Math.abs(values[i] - value) <= tolerance)
    );
    if (wrong >= 0) return `its self-test of ${name} returned ${values[wrong]} instead of ${data[wrong]}`;
  }
  return null;
}

/**
 * Tests the programs of a training.
 *
 * @param open opens a stepper on the device that uses tiles of one width only
 * @throws {BackendError} with the first wrong result
 */
export async function testTraining(
  task: Task,
  open: (options: StepperOptions, tile: TileWidth) => Promise<Stepper>,
): Promise<void> {
  const small = smallTraining(task), batch = randomBatch(small.task);
  const expected = await results(await PlannedStepper.open(small), batch, 2);
  // The second step tests the update of moments that are not zero. It does not depend on the tiles.
  for (const [tile, steps] of [[32, 2], [64, 1]] as const) {
    const found = await results(await open(small, tile), batch, steps);
    const fault = found.map((values, step) => firstFault(values, expected[step])).find((fault) =>
      fault !== null
    );
    if (fault) throw new BackendError(fault);
  }
}
