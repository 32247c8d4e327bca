/**
 * The training loop: the same for pre-training, fine-tuning and linear probes. It knows no job, no file and no clock.
 *
 * @module
 */
import { imagesOf, type Task, type TrainingBatch } from "./objective.ts";
import type { AdamWOptions, OptimizerState } from "./optimizer.ts";
import { learningRate, type Schedule } from "./schedule.ts";
import { openStepper, type Planner } from "./stepper.ts";
import type { StartThread } from "./threads.ts";
import { type HostTensor, type HostWeights, type ParameterSpec, parameterSpecs } from "../weights.ts";

/** Everything a run depends on: equal options give equal numbers. */
export interface TrainOptions extends Task {
  /** First values of every parameter of the model; not asked for when resuming. */
  initial(): HostWeights | Promise<HostWeights>;
  readonly optimizer: AdamWOptions;
  /** `totalSteps` is where the run ends. */
  readonly schedule: Schedule;
  readonly stepsPerEpoch: number;
  /** Images of the largest batch. */
  readonly batchSize: number;
  /** Threads that compute, where the backend has them. @default 1 */
  readonly threads?: number;
  /** How they are started. @default startWorker */
  readonly startThread?: StartThread;
  /** Planner of the selected backend; without it, steps run operation by operation. */
  readonly planner?: Planner;
  /** Steps between checkpoints; one more comes at the end. */
  readonly checkpointSteps: number;
  /** The batches of an epoch from one of them on; a function of its arguments alone. */
  batches(epoch: number, fromBatch: number): Iterable<TrainingBatch>;
}

/** Where a run stands, complete enough to continue bit for bit. */
export interface TrainerState {
  /** Optimiser steps done. */
  readonly step: number;
  /** Sum of the losses of the epoch being run. */
  readonly epochLossSum: number;
  /** Every parameter of the model, frozen ones too. */
  readonly weights: HostWeights;
  readonly optimizer: OptimizerState;
}

/** What happens while training, in order. Epochs count from 0, steps from 1. */
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

/** Training that cannot go on; `code` for programs. */
export class TrainingError extends Error {
  override readonly name = "TrainingError";
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** A batch and its place. */
interface PlacedBatch {
  readonly batch: TrainingBatch;
  readonly epoch: number;
  /** Steps done before it. */
  readonly step: number;
}

/** A step that can run. */
interface PreparedStep extends PlacedBatch {
  run(lr: number): Promise<number>;
}

/** A step that runs. */
interface RunningStep extends PlacedBatch {
  readonly lr: number;
  readonly loss: Promise<number>;
}

/**
 * The batches of a run from a step on.
 *
 * @throws {TrainingError} `data_ended` when an epoch has too few
 */
function* placedBatches(options: TrainOptions, from: number): Generator<PlacedBatch, void> {
  const { schedule: { totalSteps }, stepsPerEpoch } = options;
  let step = from;
  while (step < totalSteps) {
    const epoch = Math.floor(step / stepsPerEpoch), first = step % stepsPerEpoch;
    const end = Math.min(totalSteps, (epoch + 1) * stepsPerEpoch);
    for (const batch of options.batches(epoch, first)) {
      yield { batch, epoch, step };
      if (++step === end) break;
    }
    if (step < end) {
      const done = step - epoch * stepsPerEpoch;
      throw new TrainingError(
        "data_ended",
        `Epoch ${epoch} gave ${done} batches instead of ${stepsPerEpoch}`,
      );
    }
  }
}

/** The stepper of a run, and the parameters that it leaves as they are. The first values are not kept. */
async function open(options: TrainOptions, specs: readonly ParameterSpec[], resumeFrom?: TrainerState) {
  const isFrozen = (name: string) => Boolean(options.freezeEncoder) && !name.startsWith("head.");
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
    startThread: options.startThread,
  }, options.planner);
  return { stepper, frozen };
}

/**
 * Trains a model, telling each step, each epoch's mean loss and each checkpoint. The backend must be selected. While
 * a step runs, the one before is told and the next batch is prepared.
 *
 * @param resumeFrom continues there as if never interrupted
 * @throws {TrainingError} `loss_not_finite` when the loss is NaN or infinite; nothing is saved of that step
 * @throws the signal's reason, between steps
 */
export async function* train(
  options: TrainOptions,
  { resumeFrom, signal }: { resumeFrom?: TrainerState; signal?: AbortSignal } = {},
): AsyncGenerator<TrainerEvent, void> {
  const { schedule, stepsPerEpoch } = options;
  const specs = parameterSpecs(options.config, options.shape);
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

  const batches = placedBatches(options, step);
  const prepareNext = async (): Promise<PreparedStep | null> => {
    const { value } = batches.next();
    return value ? { run: await stepper.prepare(value.batch, value.epoch, value.step), ...value } : null;
  };
  let upcoming: Promise<PreparedStep | null>;
  const begin = (prepared: PreparedStep): RunningStep => {
    const lr = learningRate(schedule, prepared.step), loss = prepared.run(lr);
    upcoming = prepareNext();
    // What is wrong with a step or with the next batch is told when it is its turn.
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
      if (!Number.isFinite(loss)) {
        throw new TrainingError(
          "loss_not_finite",
          `The loss is ${loss} at step ${
            step + 1
          }: training has diverged. Choose a lower lr than ${schedule.lr}, or a ` +
            `longer warm-up than ${schedule.warmupSteps} steps. Checkpoints from shortly before may be unusable`,
        );
      }
      if (step % stepsPerEpoch === 0) epochLossSum = 0;
      step++;
      epochLossSum += loss;
      const done = step - epoch * stepsPerEpoch, final = step === schedule.totalSteps;
      const saved = final || step % options.checkpointSteps === 0;
      // The next step runs while this one is told, unless the state after this one is wanted.
      const following = saved ? null : beginNext();
      following?.catch(() => {});
      yield { type: "step", step, epoch, loss, lr, images: imagesOf(options, batch) };
      if (done === stepsPerEpoch || final) yield { type: "epoch", step, epoch, loss: epochLossSum / done };
      if (saved) {
        yield { type: "checkpoint", step, epoch, final, loss, state: await state() };
      }
      signal?.throwIfAborted();
      running = await (following ?? beginNext());
    }
  } finally {
    batches.return();
    await stepper.dispose();
  }
}
