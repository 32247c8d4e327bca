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

interface RunningStep extends IndexedBatch {
  readonly lr: number;
  readonly loss: Promise<number>;
}

/**
 * Runs all steps. While a step runs, the event of the previous step is emitted and the next batch is prepared. The next
 * step starts before the event of a step is emitted, except when a checkpoint follows: then it starts after the event.
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
  const prepareNext = async (): Promise<PreparedStep | null> => {
    const { value } = await batches.next();
    return value ? { run: await stepper.prepare(value.batch, value.epoch, value.step), ...value } : null;
  };
  let upcoming = prepareNext();
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
  let running = await beginNext();
  while (running) {
    const { batch, epoch, lr } = running, loss = await running.loss;
    position.complete(loss);
    const next = position.isSaved ? null : beginNext();
    next?.catch(() => {});
    yield { type: "step", step: position.step, epoch, loss, lr, images: batchSizeOf(task, batch) };
    running = await (next ?? beginNext());
  }
}
