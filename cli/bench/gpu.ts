/**
 * The dispatches, bytes and floating-point operations of a training step on a GPU. No GPU is needed: the planned step is
 * computed from shapes, and the operations of the other one are counted without being executed.
 *
 * @module
 */
import { imageDim, type MaeConfig } from "../../model/config.ts";
import { MODELS } from "./models.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { type StepCost, stepCost } from "../../model/backends/webgpu/plan/costs.ts";
import { lower } from "../../model/backends/webgpu/plan/lower.ts";
import { recordStep, trainingSpec } from "../../model/backends/simd/plan/trainingSpec.ts";
import { openStepper, type StepperOptions } from "../../model/training/stepper.ts";
import { type HostWeights, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { countGpu, type GpuCounts } from "./gpuCounter.ts";
import { type BenchOptions, subjectOf } from "./options.ts";
import { round } from "./round.ts";

const MAE = { model: "mae" } as const;

function stepperOptions(config: MaeConfig, batchSize: number, weights: HostWeights): StepperOptions {
  return {
    task: { config, architecture: MAE, seed: 0 },
    trainable: parameterSpecs(config, MAE),
    frozen: new Map(),
    weights,
    optimizer: { weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 },
    batchSize,
    threads: 1,
  };
}

/** Returns the cost of a planned step of the MAE. */
export function plannedCost(config: MaeConfig, batchSize: number): StepCost {
  const options = stepperOptions(config, batchSize, new Map());
  const plan = lower(recordStep(trainingSpec(options), batchSize));
  return stepCost(plan, options.trainable.map(({ name, shape }) => [name, shape] as const));
}

/** Counts a step that runs operation by operation. The backend `webgpu` must be selected. */
async function countOperations(config: MaeConfig, batchSize: number): Promise<GpuCounts> {
  const weights = initialWeights(parameterSpecs(config, MAE), 0);
  const batch = { pixels: new Float32Array(batchSize * imageDim(config)), labels: null };
  const stepper = await openStepper(stepperOptions(config, batchSize, weights));
  // The first step compiles programs and allocates buffers.
  await (await stepper.prepare(batch, 0, 0))(1e-3);
  const counter = countGpu(false);
  await (await stepper.prepare(batch, 0, 1))(1e-3);
  const counts = counter.stop();
  await stepper.dispose();
  return counts;
}

const total = <K extends string>(rows: readonly Readonly<Record<K, number>>[], key: K) =>
  rows.reduce((sum, row) => sum + row[key], 0);

const mib = (bytes: number) => round(bytes / 2 ** 20, 2);

/** Counts the dispatches, bytes and floating-point operations of a step. */
export async function gpu(options: BenchOptions): Promise<object> {
  const { model, batch } = subjectOf(options), config = MODELS[model];
  const { programs, bytesUploaded } = plannedCost(config, batch);
  const planned = {
    dispatches: total(programs, "dispatches"),
    read_mib: mib(total(programs, "bytesRead")),
    written_mib: mib(total(programs, "bytesWritten")),
    gflop: round(total(programs, "flops") / 1e9, 2),
    uploads: 1,
    uploaded_mib: mib(bytesUploaded),
    read_backs: 0,
    submits: 1,
  };
  return {
    model,
    batch,
    planned,
    operation_by_operation: await operations(config, batch),
    programs: programs.map(({ program, dispatches, bytesRead, bytesWritten, flops }) => ({
      program,
      dispatches,
      read_mib: mib(bytesRead),
      written_mib: mib(bytesWritten),
      gflop: round(flops / 1e9, 2),
    })),
  };
}

/** Counts a step that runs operation by operation, if there is a driver for WebGPU. */
async function operations(config: MaeConfig, batch: number): Promise<object | string> {
  // The programs are compiled at the start. The self-test needs their results.
  const start = countGpu(true);
  try {
    await selectBackend("webgpu");
  } catch (error) {
    start.stop();
    return (error as Error).message;
  }
  const idle = countGpu(false), counts = await countOperations(config, batch);
  idle.stop();
  start.stop();
  return {
    dispatches: [...counts.dispatches.values()].reduce((sum, count) => sum + count, 0),
    read_mib: mib(counts.bytesRead),
    written_mib: mib(counts.bytesWritten),
    uploads: counts.uploads,
    uploaded_mib: mib(counts.bytesUploaded),
    copies: counts.copies,
    copied_mib: mib(counts.bytesCopied),
    read_backs: counts.readBacks,
    submits: counts.submits,
  };
}
