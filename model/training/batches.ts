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
  /** Whether the batches of the epoch are in memory, so that none has to be waited for. */
  readonly isInMemory: boolean;
}

/** Options of a sequence of batches. */
export interface BatchSequence {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  /** Returns the batches of an epoch from `fromBatch` on. */
  batches(epoch: number, fromBatch: number): Batches;
}

/** A sequence of batches. It is asynchronous if a batch is computed or read. */
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
    const source = batches(epoch, first), isInMemory = Symbol.iterator in source;
    for await (const batch of source) {
      yield { batch, epoch, step, isInMemory };
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
