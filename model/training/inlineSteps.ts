/**
 * The loop of steps that run in the thread of the training.
 *
 * @module
 */
import type { IndexedBatch } from "./batches.ts";
import { batchSizeOf, type Task } from "./objective.ts";
import type { Position } from "./position.ts";
import { learningRate, type Schedule } from "./schedule.ts";
import type { InlineStepper } from "./stepper.ts";
import type { StepOfTraining, StepsEvent } from "./trainerEvents.ts";

/** Maximum number of steps in an event. They take about a millisecond, after which other work gets its turn. */
const STEPS_PER_EVENT = 48;

/**
 * Runs all steps. The events of consecutive steps on batches in memory are gathered, because a step takes only a few
 * times as long as an event. An event ends where an epoch ends or a checkpoint follows.
 *
 * @throws {TrainingError} `loss_not_finite`
 */
export async function* inlineSteps(
  stepper: InlineStepper,
  task: Task,
  schedule: Schedule,
  batches: AsyncIterable<IndexedBatch>,
  position: Position,
): AsyncGenerator<StepsEvent, void> {
  let steps: StepOfTraining[] = [], images = 0;
  const take = (): StepsEvent => {
    const event: StepsEvent = { type: "steps", steps, images };
    steps = [];
    images = 0;
    return event;
  };
  for await (const { batch, epoch, step, isInMemory } of batches) {
    const lr = learningRate(schedule, step), loss = stepper.run(batch, epoch, step, lr);
    if (!Number.isFinite(loss) && steps.length > 0) yield take();
    position.complete(loss);
    steps.push({ step: step + 1, epoch, loss, lr });
    images += batchSizeOf(task, batch);
    const isComplete = !isInMemory || steps.length === STEPS_PER_EVENT;
    if (isComplete || position.endsEpoch || position.isSaved) yield take();
  }
}
