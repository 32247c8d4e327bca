/**
 * The loop of steps that run in other threads or on another device.
 *
 * @module
 */
import type { IndexedBatch } from "./batches.ts";
import { batchSizeOf, type Task } from "./objective.ts";
import type { Position } from "./position.ts";
import { learningRate, type Schedule } from "./schedule.ts";
import type { RunStep, Stepper } from "./stepper.ts";
import type { TrainerEvent } from "./trainerEvents.ts";

interface PreparedStep extends IndexedBatch {
  readonly run: RunStep;
}

interface RunningStep {
  readonly epoch: number;
  readonly images: number;
  readonly lr: number;
  readonly loss: Promise<number>;
}

/**
 * Runs all steps. While a step runs, the event of the previous step is emitted and the next batch is prepared. The next
 * step starts before the event of a step is emitted, except when a checkpoint follows: then it starts after the event.
 * On a stepper that permits several steps in flight, the loss of a step arrives while later ones run. After the end of
 * the loop nothing is prepared or started, so that the stepper can be disposed.
 *
 * @param signal ends the loop before the start of a step
 * @throws {TrainingError} `loss_not_finite`
 */
export async function* overlappedSteps(
  stepper: Stepper,
  task: Task,
  schedule: Schedule,
  batches: AsyncIterator<IndexedBatch, void>,
  position: Position,
  signal?: AbortSignal,
): AsyncGenerator<Extract<TrainerEvent, { type: "step" }>, void> {
  let hasEnded = false;
  const prepareNext = async (): Promise<PreparedStep | null> => {
    const { value } = await batches.next();
    if (!value || hasEnded) return null;
    return { run: await stepper.prepare(value.batch, value.epoch, value.step), ...value };
  };
  let upcoming = prepareNext();
  const begin = (prepared: PreparedStep): RunningStep => {
    const lr = learningRate(schedule, prepared.step), loss = prepared.run(lr);
    upcoming = prepareNext();
    // A rejection is thrown where the promise is awaited. Until then it must not count as unhandled.
    loss.catch(() => {});
    upcoming.catch(() => {});
    return { epoch: prepared.epoch, images: batchSizeOf(task, prepared.batch), lr, loss };
  };
  const beginNext = async () => {
    const prepared = await upcoming;
    signal?.throwIfAborted();
    return prepared && !hasEnded ? begin(prepared) : null;
  };
  // The steps in flight, in their order.
  const inFlight: Promise<RunningStep | null>[] = [];
  let started = position.step, lastStarted: Promise<unknown> = Promise.resolve();
  /** Starts as many steps as the stepper permits, but none after a step that a checkpoint follows. */
  const startSteps = () => {
    while (inFlight.length < (stepper.maxInFlight ?? 1) && started < schedule.totalSteps) {
      if (inFlight.length > 0 && position.isSavedAt(started)) return;
      started++;
      const next = lastStarted.then(beginNext);
      next.catch(() => {});
      inFlight.push(next);
      lastStarted = next;
    }
  };
  try {
    startSteps();
    let running: RunningStep | null | undefined;
    while ((running = await inFlight[0])) {
      const { epoch, lr, images } = running, loss = await running.loss;
      inFlight.shift();
      position.complete(loss);
      if (!position.isSaved) startSteps();
      yield { type: "step", step: position.step, epoch, loss, lr, images };
      startSteps();
    }
  } finally {
    hasEnded = true;
    await upcoming.catch(() => {});
  }
}
