/**
 * The sequence of batches of a training.
 *
 * @module
 */
import { TrainingError } from "./error.ts";
import type { TrainingBatch } from "./objective.ts";

/** A batch with its epoch and the number of steps before it. */
export interface IndexedBatch {
  readonly batch: TrainingBatch;
  readonly epoch: number;
  readonly step: number;
}

/** Options of a sequence of batches. */
export interface BatchSequence {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** Returns the batches of an epoch from `fromBatch` on. */
  batches(epoch: number, fromBatch: number): Batches;
}

/** A sequence of batches. */
export type Batches = Iterable<TrainingBatch> | AsyncIterable<TrainingBatch>;

/**
 * Returns the batches of a training from a step on.
 *
 * @throws {TrainingError} `data_ended` when an epoch has fewer than `stepsPerEpoch`
 */
export async function* batchesFrom(
  firstStep: number,
  { totalSteps, stepsPerEpoch, batches }: BatchSequence,
): AsyncGenerator<IndexedBatch, void> {
  let step = firstStep;
  while (step < totalSteps) {
    const epoch = Math.floor(step / stepsPerEpoch), first = step % stepsPerEpoch;
    const end = Math.min(totalSteps, (epoch + 1) * stepsPerEpoch);
    for await (const batch of batches(epoch, first)) {
      yield { batch, epoch, step };
      if (++step === end) break;
    }
    if (step < end) {
      const count = step - epoch * stepsPerEpoch;
      throw new TrainingError(
        "data_ended",
        `Epoch ${epoch} has ${count} batches instead of ${stepsPerEpoch}`,
      );
    }
  }
}
