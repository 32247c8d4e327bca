/**
 * What carries out the steps of a training: TensorFlow.js, operation by operation, or a backend's own planner.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { lossAndGradient } from "./gradients.ts";
import { type Objective, objective, type Task, type TrainingBatch } from "./objective.ts";
import { native } from "../ops/native.ts";
import { AdamW, type AdamWOptions, type OptimizerState } from "./optimizer.ts";
import type { StartThread } from "./threads.ts";
import { toTensors, type Weights } from "../transformer.ts";
import { type HostTensor, type HostWeights, type ParameterSpec } from "../weights.ts";

/** A training as its steps see it. */
export interface StepperOptions {
  readonly task: Task;
  /** What is trained. */
  readonly trainable: readonly ParameterSpec[];
  /** What the loss needs beside it. */
  readonly frozen: HostWeights;
  /** Values of all that is trained. */
  readonly weights: HostWeights;
  readonly optimizer: AdamWOptions;
  /** Where the optimiser goes on. */
  readonly state?: OptimizerState;
  /** Images of the largest batch. */
  readonly batchSize: number;
  /** Threads that compute, where the backend has them. */
  readonly threads: number;
  /** How they are started. @default startWorker */
  readonly startThread?: StartThread;
}

/** Carries out the steps of a training. */
export interface Stepper {
  /** Threads that compute. */
  readonly threads: number;
  /** Why something faster was passed over. */
  readonly note: string | null;
  /**
   * Prepares the next step on the host; the step before may still be running. There is one prepared step at a time.
   *
   * @returns what runs it: moves the weights unless the loss (the result) is not finite
   */
  prepare(batch: TrainingBatch, epoch: number, step: number): Promise<(lr: number) => Promise<number>>;
  /** What is trained, between two steps. */
  weights(): Promise<Map<string, HostTensor>>;
  /** State of the optimiser, between two steps. */
  state(): Promise<OptimizerState>;
  /** Frees everything, in the middle of a step too. */
  dispose(): Promise<void>;
}

/** A planner cannot take a training; the message says why. */
export class PlanError extends Error {
  override readonly name = "PlanError";
}

/**
 * Plans the steps of a training for a backend that runs whole steps.
 *
 * @throws {PlanError} when it does not support this training
 */
export type Planner = (options: StepperOptions) => Promise<Stepper>;

/** Returns a planned stepper where `planner` supports the training, else one that runs TensorFlow.js operations. */
export async function openStepper(options: StepperOptions, planner?: Planner): Promise<Stepper> {
  if (!planner) return new EagerStepper(options, null);
  try {
    return await planner(options);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return new EagerStepper(options, error.message);
  }
}

/** Runs a step through TensorFlow.js. */
export class EagerStepper implements Stepper {
  readonly threads = native().threads ?? 1;
  readonly #task: Task;
  readonly #frozen: Weights;
  readonly #optimizer: AdamW;
  #running: Promise<unknown> = Promise.resolve();

  /** @param note why something faster was passed over */
  constructor(options: StepperOptions, readonly note: string | null) {
    this.#task = options.task;
    this.#frozen = toTensors(options.frozen);
    this.#optimizer = new AdamW(options.trainable, options.weights, options.optimizer, options.state);
  }

  prepare(batch: TrainingBatch, epoch: number, step: number): Promise<(lr: number) => Promise<number>> {
    const prepared = objective(this.#task, batch, epoch, step);
    return Promise.resolve((lr) => this.#running = this.#run(prepared, lr));
  }

  async #run({ loss }: Objective, lr: number): Promise<number> {
    const result = lossAndGradient(this.#optimizer, this.#frozen, (weights) => loss(weights));
    const value = (await result.loss.data())[0];
    if (Number.isFinite(value)) this.#optimizer.step(result.gradients, lr);
    tf.dispose([result.loss, ...result.gradients]);
    return value;
  }

  weights(): Promise<Map<string, HostTensor>> {
    return this.#optimizer.weights();
  }

  state(): Promise<OptimizerState> {
    return this.#optimizer.state();
  }

  async dispose(): Promise<void> {
    await this.#running.catch(() => {});
    this.#optimizer.dispose();
    tf.dispose(this.#frozen);
  }
}
