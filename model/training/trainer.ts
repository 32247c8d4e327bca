/**
 * The training loop for pre-training, fine-tuning and linear probes. It is independent of jobs, files and the clock.
 *
 * @module
 */
import { type Batches, batchesFrom } from "./batches.ts";
import { inlineSteps } from "./inlineSteps.ts";
import type { Task } from "./objective.ts";
import type { AdamWOptions } from "./optimizer.ts";
import { overlappedSteps } from "./overlappedSteps.ts";
import { Position, type TrainingLength } from "./position.ts";
import { openStepper, type StepPlanner } from "./stepper.ts";
import { type StoredState, storedState } from "./storedState.ts";
import type { TrainerEvent, TrainerState } from "./trainerEvents.ts";
import { type PositionTables, positionTables, tablesOf } from "../positions.ts";
import {
  bufferShapes,
  bufferTensors,
  type HostTensor,
  isTrainable,
  type ParameterSpec,
  parameterSpecs,
  rereadable,
  type TensorStream,
} from "../weights.ts";

export type { TrainerEvent, TrainerState };

/** Options of a training. Equal options give equal numbers. */
export interface TrainOptions extends Task, TrainingLength {
  /**
   * Returns the initial values of every parameter, and stored position tables. It may be called several times, and is not
   * called when a training resumes.
   */
  initial(): TensorStream | Promise<TensorStream>;
  readonly optimizer: AdamWOptions;
  /** Number of images in the largest batch. */
  readonly batchSize: number;
  /** Number of threads that compute, if the backend supports threads. @default 1 */
  readonly threads?: number;
  /** Maximum memory of a planned step, in bytes. @default what the backend can address */
  readonly maxBytes?: number;
  /** Planner of the selected backend. Without it, steps run operation by operation. */
  readonly planner?: StepPlanner;
  /** Returns the batches of an epoch from `fromBatch` on. The result must depend on the arguments alone. */
  batches(epoch: number, fromBatch: number): Batches;
}

/** Returns the positions of a model. Stored ones are among its weights, of which the others are not kept. */
async function readTables(
  { config, architecture, tables, initial }: TrainOptions,
  resumeFrom?: StoredState,
): Promise<PositionTables> {
  if (tables) return tables;
  if (config.positions !== "stored") return positionTables(config);
  const names = bufferShapes(config, architecture), found = new Map<string, HostTensor>();
  for await (const [name, tensor] of resumeFrom?.weights() ?? await initial()) {
    if (names.has(name)) found.set(name, tensor);
    if (found.size === names.size) break;
  }
  return tablesOf(config, found);
}

/** Opens the stepper of a training. Of the initial weights, only the frozen ones are kept. */
async function open(options: TrainOptions, specs: readonly ParameterSpec[], resumeFrom?: StoredState) {
  const isFrozen = ({ name }: { name: string }) => !isTrainable(name, options.freezeEncoder ?? false);
  const frozen = new Map<string, HostTensor>(), frozenSpecs = specs.filter(isFrozen);
  const weights = async function* () {
    for await (const [name, tensor] of resumeFrom?.weights() ?? await options.initial()) {
      if (isFrozen({ name })) frozen.set(name, tensor);
      yield [name, tensor] as const;
    }
  };
  const stepper = await openStepper({
    task: options,
    trainable: specs.filter((spec) => !isFrozen(spec)),
    frozen: new Map(options.input === "features" ? [] : frozenSpecs.map((spec) => [spec.name, spec])),
    weights: rereadable(weights),
    optimizer: options.optimizer,
    state: resumeFrom && { step: resumeFrom.step, moments: rereadable(() => resumeFrom.moments()) },
    batchSize: options.batchSize,
    threads: options.threads ?? 1,
    maxBytes: options.maxBytes,
  }, options.planner);
  return { stepper, frozen };
}

/**
 * Trains a model and emits an event for each step, epoch and checkpoint. A backend must be selected first. While a step
 * runs, the event of the previous step is emitted and the next batch is prepared. Small steps run in the calling thread
 * instead, and the events of those on batches in memory are gathered.
 *
 * @param resumeFrom state to continue from
 * @param signal ends the training between two steps
 * @throws {TrainingError} `loss_not_finite` when the loss of a step is NaN or infinite; the step is not saved
 * @throws {TrainingError} `data_ended` when an epoch has too few batches
 * @throws the signal's reason
 *
 * @example
 * ```ts
 * import { selectBackend } from "../backends/select.ts";
 * import { PRESETS } from "../presets.ts";
 * import { initialWeights, parameterSpecs } from "../weights.ts";
 * import { train } from "./trainer.ts";
 *
 * const { planner } = await selectBackend("simd");
 * const config = PRESETS.mnist, architecture = { model: "mae" } as const;
 * const batch = { pixels: new Float32Array(8 * 28 * 28).fill(0.5), labels: null };
 * const events = train({
 *   config,
 *   architecture,
 *   seed: 0,
 *   planner,
 *   initial: () => initialWeights(parameterSpecs(config, architecture), 0),
 *   optimizer: { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 },
 *   schedule: { kind: "constant", lr: 1e-3, minLr: 0, warmupSteps: 0, totalSteps: 4 },
 *   stepsPerEpoch: 2,
 *   batchSize: 8,
 *   checkpointSteps: 4,
 *   batches: (_epoch, fromBatch) => [batch, batch].slice(fromBatch),
 * });
 * for await (const event of events) {
 *   if (event.type === "step") console.log(event.step, event.loss);
 * }
 * ```
 */
export async function* train(
  options: TrainOptions,
  { resumeFrom: from, signal }: { resumeFrom?: TrainerState | StoredState; signal?: AbortSignal } = {},
): AsyncGenerator<TrainerEvent, void> {
  const { schedule } = options;
  const resumeFrom = from && "optimizer" in from ? storedState(from) : from;
  const { config, architecture } = options, specs = parameterSpecs(config, architecture);
  const tables = await readTables(options, resumeFrom);
  const { stepper, frozen } = await open({ ...options, tables }, specs, resumeFrom);
  // Stored positions cannot be computed again from the configuration.
  const buffers = config.positions === "stored" ? bufferTensors(config, architecture, tables) : [];
  const position = new Position(options, resumeFrom);
  const state = async (): Promise<TrainerState> => {
    const trained = await stepper.weights();
    const weights = new Map<string, HostTensor>([
      ...buffers,
      ...specs.map(({ name }) => [name, trained.get(name) ?? frozen.get(name)!] as const),
    ]);
    const { step, epochLossSum } = position;
    return { step, epochLossSum, weights, optimizer: await stepper.state() };
  };
  const batches = batchesFrom(position.step, { ...options, totalSteps: schedule.totalSteps });
  try {
    yield { type: "ready", threads: stepper.threads, note: stepper.note };
    signal?.throwIfAborted();
    const steps = "run" in stepper
      ? inlineSteps(stepper, options, schedule, batches, position)
      : overlappedSteps(stepper, options, schedule, batches, position, signal);
    for await (const event of steps) {
      yield event;
      const { epoch, loss } = event.type === "step" ? event : event.steps.at(-1)!, { step } = position;
      if (position.endsEpoch) yield { type: "epoch", step, epoch, loss: position.epochLoss };
      if (position.isSaved) {
        yield { type: "checkpoint", step, epoch, final: position.isFinal, loss, state: await state() };
      }
      signal?.throwIfAborted();
    }
  } finally {
    await batches.return();
    await stepper.dispose();
  }
}
