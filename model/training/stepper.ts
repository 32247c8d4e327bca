/**
 * Steppers run the steps of a training: operation by operation through TensorFlow.js, or by the plan of a backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { lossAndGradient } from "./gradients.ts";
import { type Objective, objective, type Task, type TrainingBatch } from "./objective.ts";
import { native } from "../ops/native.ts";
import { AdamW, type AdamWOptions, type OptimizerState } from "./optimizer.ts";
import { PlanError } from "../planError.ts";
import { toTensors, type Weights } from "../transformer.ts";
import type { Shape } from "../shape.ts";
import { collectTensors, type HostTensor, type ParameterSpec, type TensorStream } from "../weights.ts";
import { collectOptimizer, type StoredOptimizer } from "./storedState.ts";

/** The training that a stepper runs. */
export interface StepperOptions {
  readonly task: Task;
  readonly trainable: readonly ParameterSpec[];
  /** Shapes of the frozen parameters that the steps use. */
  readonly frozen: ReadonlyMap<string, { readonly shape: Shape }>;
  /** Initial values of the trainable and the frozen parameters, readable several times. Others are ignored. */
  readonly weights: TensorStream;
  readonly optimizer: AdamWOptions;
  /** Optimiser state to continue from. */
  readonly state?: StoredOptimizer;
  /** Number of images in the largest batch. */
  readonly batchSize: number;
  /** Number of threads that compute, if the backend supports threads. */
  readonly threads: number;
  /** Maximum size of a planned step's memory in bytes. @default what the backend can address */
  readonly maxBytes?: number;
}

/**
 * Runs a prepared step and returns its loss. The parameters do not change when the loss is not finite, and neither do
 * they in the steps that were started since. Losses arrive in the order of the steps.
 */
export type RunStep = (lr: number) => Promise<number>;

/** Runs the steps of a training. */
export interface Stepper {
  /** Number of threads that compute. */
  readonly threads: number;
  /** Why a faster stepper could not be used, or null. */
  readonly note: string | null;
  /** Number of steps that may be started before the loss of the first one has arrived. @default 1 */
  readonly maxInFlight?: number;
  /**
   * Prepares the next step on the host while the previous one may still be running. Only one step can be prepared at a
   * time.
   */
  prepare(batch: TrainingBatch, epoch: number, step: number): Promise<RunStep>;
  /**
   * Returns the trainable parameters. Must not be called during a step. They may be views of the stepper's memory: the
   * next step changes them.
   */
  weights(): Promise<Map<string, HostTensor>>;
  /** Returns the optimiser state, under the rules of {@linkcode Stepper.weights}. */
  state(): Promise<OptimizerState>;
  /** Frees all memory and threads, also during a step. */
  dispose(): Promise<void>;
}

/** A stepper of small steps, which run in the calling thread. */
export interface InlineStepper extends Stepper {
  /**
   * Runs a step and returns its loss. The parameters do not change when the loss is not finite.
   */
  run(batch: TrainingBatch, epoch: number, step: number, lr: number): number;
}

/** Plans trainings for a backend that runs whole steps. */
export interface StepPlanner {
  /**
   * Opens a stepper.
   *
   * @throws {PlanError} when it does not support this training
   */
  openStepper(options: StepperOptions): Promise<Stepper | InlineStepper>;
}

/** Returns a planned stepper where `planner` supports the training, else one that runs TensorFlow.js operations. */
export async function openStepper(
  options: StepperOptions,
  planner?: StepPlanner,
): Promise<Stepper | InlineStepper> {
  if (!planner) return await EagerStepper.open(options, null);
  try {
    return await planner.openStepper(options);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return await EagerStepper.open(options, error.message);
  }
}

/** Runs steps operation by operation through TensorFlow.js. */
class EagerStepper implements Stepper {
  readonly threads = native().threads ?? 1;
  readonly #task: Task;
  readonly #frozen: Weights;
  readonly #optimizer: AdamW;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(task: Task, frozen: Weights, optimizer: AdamW, readonly note: string | null) {
    this.#task = task;
    this.#frozen = frozen;
    this.#optimizer = optimizer;
  }

  /** @param note why a faster stepper could not be used, or null */
  static async open(options: StepperOptions, note: string | null): Promise<EagerStepper> {
    const { task, trainable, frozen } = options, weights = await collectTensors(options.weights);
    const state = options.state && await collectOptimizer(options.state, trainable.map(({ name }) => name));
    const optimizer = new AdamW(trainable, weights, options.optimizer, state);
    const frozenTensors = toTensors(new Map([...weights].filter(([name]) => frozen.has(name))));
    return new EagerStepper(task, frozenTensors, optimizer, note);
  }

  prepare(batch: TrainingBatch, epoch: number, step: number): Promise<RunStep> {
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
