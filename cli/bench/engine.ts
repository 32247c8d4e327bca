/**
 * Measures training steps and inference on random images.
 *
 * @module
 */
import { loadSettings } from "../settings/environment.ts";
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { imageDim, type MaeConfig } from "../../model/config.ts";
import { type ModelName, MODELS } from "./models.ts";
import { reconstruct } from "../../model/prediction/inference.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { objective } from "../../model/training/objective.ts";
import { uniform } from "../../model/random.ts";
import { openStepper, type Stepper } from "../../model/training/stepper.ts";
import { type Architecture, drawWeights, initialWeights, parameterSpecs } from "../../model/weights.ts";

/** The model, backend and batch to measure. */
export interface Subject {
  readonly model: ModelName;
  readonly backend: string;
  readonly threads: number;
  readonly batch: number;
  /** Width of the vectors of our kernels. */
  readonly vectorBits: VectorBits;
}

const noise = (config: MaeConfig, images: number) =>
  uniform({ seed: 1, purpose: "bench" }, images * imageDim(config));

const computeWith = ({ threads, vectorBits }: Subject) => ({
  ...loadSettings({ UNMASK_THREADS: String(threads) }).compute,
  vectorBits,
});

/** A training run whose steps are measured one by one. */
export class TrainingBench {
  #step = 0;
  private constructor(readonly stepper: Stepper, readonly subject: Subject, readonly pixels: Float32Array) {}

  /** Starts the backend and opens a stepper. */
  static async open(subject: Subject): Promise<TrainingBench> {
    const config = MODELS[subject.model], architecture = { model: "mae" } as const;
    const { planner } = await selectBackend(subject.backend, computeWith(subject));
    const specs = parameterSpecs(config, architecture);
    const stepper = await openStepper({
      task: { config, architecture, seed: 0 },
      trainable: specs,
      frozen: new Map(),
      weights: drawWeights(specs, 0),
      optimizer: { weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 },
      batchSize: subject.batch,
      threads: subject.threads,
    }, planner);
    return new TrainingBench(stepper, subject, noise(config, subject.batch));
  }

  /**
   * Runs steps like a training: it starts as many as the stepper permits before it awaits the loss of the first one.
   *
   * @returns the milliseconds of a step with the preparation of its batch
   */
  async steps(count: number): Promise<number> {
    const inFlight: Promise<number>[] = [], { maxInFlight = 1 } = this.stepper;
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      if (inFlight.length === maxInFlight) await inFlight.shift();
      const run = await this.stepper.prepare({ pixels: this.pixels, labels: null }, 0, this.#step++);
      inFlight.push(run(1.5e-4));
    }
    await Promise.all(inFlight);
    return (performance.now() - start) / count;
  }

  /**
   * Runs a step.
   *
   * @returns its milliseconds without the preparation of its batch, which overlaps with the previous step in training
   */
  async step(): Promise<number> {
    const run = await this.stepper.prepare({ pixels: this.pixels, labels: null }, 0, this.#step++);
    const start = performance.now();
    await run(1.5e-4);
    return performance.now() - start;
  }
}

/** Returns the milliseconds of preparing a batch on the host. */
export function preparation({ model, batch }: Subject): number {
  const config = MODELS[model], architecture = { model: "mae" } as const, pixels = noise(config, batch);
  const times = Array.from({ length: 9 }, (_, step) => {
    const start = performance.now();
    objective({ config, architecture, seed: 0 }, { pixels, labels: null }, 0, step);
    return performance.now() - start;
  });
  return median(times);
}

/** Measures one of the three inference calls. @returns milliseconds of each call, and the threads that compute */
export async function inference(
  subject: Subject,
  operation: "reconstruct" | "classify" | "embed",
  count: number,
): Promise<{ times: number[]; threads: number }> {
  const { model, backend, threads, batch } = subject;
  const config = MODELS[model], pixels = noise(config, batch);
  const { planner } = await selectBackend(backend, computeWith(subject));
  const architecture: Architecture = operation === "reconstruct"
    ? { model: "mae" }
    : { model: "classifier", classes: 10 };
  const weights = initialWeights(parameterSpecs(config, architecture), 0);
  const predictor = await openPredictor({ config, weights, threads }, planner);
  const calls = {
    reconstruct: () => reconstruct(predictor, pixels, { seed: 2, maskRatio: config.maskRatio }),
    classify: () => predictor.logits(pixels),
    embed: () => predictor.features(pixels),
  };
  const times: number[] = [];
  for (let i = 0; i < count + 3; i++) {
    const start = performance.now();
    await calls[operation]();
    if (i >= 3) times.push(performance.now() - start);
  }
  await predictor.dispose();
  return { times, threads: predictor.threads };
}

/** Returns the median. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
