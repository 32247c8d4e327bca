/**
 * The training loop for pre-training, fine-tuning and linear probes. It is independent of jobs, files and the clock.
 *
 * @module
 */
import { batchesFrom, type IndexedBatch } from "./batches.ts";
import { TrainingError } from "./error.ts";
import { batchSizeOf, type Task, type TrainingBatch } from "./objective.ts";
import type { AdamWOptions, OptimizerState } from "./optimizer.ts";
import { learningRate, type Schedule } from "./schedule.ts";
import { openStepper, type RunStep, type StepPlanner } from "./stepper.ts";
import {
  type HostTensor,
  type HostWeights,
  isTrainable,
  type ParameterSpec,
  parameterSpecs,
} from "../weights.ts";

/** Options of a training. Equal options give equal numbers. */
export interface TrainOptions extends Task {
  /** Returns the initial values of every parameter. Not called when a training resumes. */
  initial(): HostWeights | Promise<HostWeights>;
  readonly optimizer: AdamWOptions;
  /** The training ends after `totalSteps`. */
  readonly schedule: Schedule;
  readonly stepsPerEpoch: number;
  /** Number of images in the largest batch. */
  readonly batchSize: number;
  /** Number of threads that compute, if the backend supports threads. @default 1 */
  readonly threads?: number;
  /** Maximum memory of a planned step, in bytes. @default what the backend can address */
  readonly maxBytes?: number;
  /** Planner of the selected backend. Without it, steps run operation by operation. */
  readonly planner?: StepPlanner;
  /** Number of steps between checkpoints. A final checkpoint follows the last step. */
  readonly checkpointSteps: number;
  /** Returns the batches of an epoch from `fromBatch` on. The result must depend on the arguments alone. */
  batches(epoch: number, fromBatch: number): Iterable<TrainingBatch>;
}

/** The state of a training between two steps. A training that resumes from it computes the same bits. */
export interface TrainerState {
  /** Number of completed steps. */
  readonly step: number;
  /** Sum of the losses of the current epoch. */
  readonly epochLossSum: number;
  /** Every parameter of the model, including frozen ones. */
  readonly weights: HostWeights;
  readonly optimizer: OptimizerState;
}

/** An event of a training. Epochs count from 0, steps from 1. */
export type TrainerEvent =
  | { readonly type: "ready"; threads: number; note: string | null }
  | { readonly type: "step"; step: number; epoch: number; loss: number; lr: number; images: number }
  | { readonly type: "epoch"; step: number; epoch: number; loss: number }
  | {
    readonly type: "checkpoint";
    step: number;
    epoch: number;
    final: boolean;
    loss: number;
    state: TrainerState;
  };

interface PreparedStep extends IndexedBatch {
  readonly run: RunStep;
}

interface RunningStep extends IndexedBatch {
  readonly lr: number;
  readonly loss: Promise<number>;
}

/** Opens the stepper of a training. The initial weights are not kept: they are as large as the model. */
async function open(options: TrainOptions, specs: readonly ParameterSpec[], resumeFrom?: TrainerState) {
  const isFrozen = (name: string) => !isTrainable(name, options.freezeEncoder ?? false);
  const weights = resumeFrom?.weights ?? await options.initial();
  const frozen = new Map([...weights].filter(([name]) => isFrozen(name)));
  const stepper = await openStepper({
    task: options,
    trainable: specs.filter(({ name }) => !isFrozen(name)),
    frozen,
    weights,
    optimizer: options.optimizer,
    state: resumeFrom?.optimizer,
    batchSize: options.batchSize,
    threads: options.threads ?? 1,
    maxBytes: options.maxBytes,
  }, options.planner);
  return { stepper, frozen };
}

/** Returns the error for a loss that is NaN or infinite. */
function divergence(loss: number, step: number, { lr, warmupSteps }: Schedule): TrainingError {
  return new TrainingError(
    "loss_not_finite",
    `The loss is ${loss} at step ${step}: training has diverged. Choose a lower lr than ${lr}, or a longer ` +
      `warm-up than ${warmupSteps} steps. The last checkpoints before this step may be unusable`,
  );
}

/**
 * Trains a model and emits an event for each step, epoch and checkpoint. A backend must be selected first. While a step
 * runs, the event of the previous step is emitted and the next batch is prepared.
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
  { resumeFrom, signal }: { resumeFrom?: TrainerState; signal?: AbortSignal } = {},
): AsyncGenerator<TrainerEvent, void> {
  const { schedule, stepsPerEpoch } = options;
  const specs = parameterSpecs(options.config, options.architecture);
  const { stepper, frozen } = await open(options, specs, resumeFrom);
  let step = resumeFrom?.step ?? 0;
  let epochLossSum = resumeFrom?.epochLossSum ?? 0;

  const state = async (): Promise<TrainerState> => {
    const trained = await stepper.weights();
    const weights = new Map<string, HostTensor>(
      specs.map(({ name }) => [name, trained.get(name) ?? frozen.get(name)!]),
    );
    return { step, epochLossSum, weights, optimizer: await stepper.state() };
  };

  const batches = batchesFrom(step, { ...options, totalSteps: schedule.totalSteps });
  const prepareNext = async (): Promise<PreparedStep | null> => {
    const { value } = batches.next();
    return value ? { run: await stepper.prepare(value.batch, value.epoch, value.step), ...value } : null;
  };
  let upcoming: Promise<PreparedStep | null>;
  const begin = (prepared: PreparedStep): RunningStep => {
    const lr = learningRate(schedule, prepared.step), loss = prepared.run(lr);
    upcoming = prepareNext();
    // A rejection is thrown where the promise is awaited. Until then it must not count as unhandled.
    loss.catch(() => {});
    upcoming.catch(() => {});
    return { ...prepared, lr, loss };
  };
  const beginNext = async () => {
    const prepared = await upcoming;
    signal?.throwIfAborted();
    return prepared && begin(prepared);
  };
  try {
    yield { type: "ready", threads: stepper.threads, note: stepper.note };
    upcoming = prepareNext();
    let running = await beginNext();
    while (running) {
      const { batch, epoch, lr } = running, loss = await running.loss;
      if (!Number.isFinite(loss)) throw divergence(loss, step + 1, schedule);
      if (step % stepsPerEpoch === 0) epochLossSum = 0;
      step++;
      epochLossSum += loss;
      const stepsOfEpoch = step - epoch * stepsPerEpoch, final = step === schedule.totalSteps;
      const isSaved = final || step % options.checkpointSteps === 0;
      // The next step starts before this step's event is emitted, except when the state must be saved first.
      const next = isSaved ? null : beginNext();
      next?.catch(() => {});
      yield { type: "step", step, epoch, loss, lr, images: batchSizeOf(options, batch) };
      if (stepsOfEpoch === stepsPerEpoch || final) {
        yield { type: "epoch", step, epoch, loss: epochLossSum / stepsOfEpoch };
      }
      if (isSaved) yield { type: "checkpoint", step, epoch, final, loss, state: await state() };
      signal?.throwIfAborted();
      running = await (next ?? beginNext());
    }
  } finally {
    batches.return();
    await stepper.dispose();
  }
}
