/**
 * The length of a training run in epochs and steps, and the fields of a request that do not fit that length.
 *
 * @module
 */
import type { RequestIssue } from "./commonFields.ts";
import { JOB_LIMITS } from "./limits.ts";
import type { TrainingRequest } from "./trainingFields.ts";

/** The length of a run. */
export interface RunLength {
  /** Optimiser steps in an epoch; 0 when the images do not fill a batch. */
  readonly perEpoch: number;
  readonly epochs: number;
  /** The last step of the run. */
  readonly total: number;
}

/**
 * Returns the length of a run over `images` training images. Without `epochs` it is one epoch, or the number of epochs
 * that `max_steps` needs. With both fields the run ends at the smaller of the two limits.
 */
export function runLength(request: TrainingRequest, images: number): RunLength {
  const { batchSize, dropLast, maxSteps } = request;
  const perEpoch = dropLast ? Math.floor(images / batchSize) : Math.ceil(images / batchSize);
  const needed = maxSteps === undefined ? 1 : Math.ceil(maxSteps / Math.max(1, perEpoch));
  const epochs = request.epochs ?? needed;
  return { perEpoch, epochs, total: Math.min(epochs * perEpoch, maxSteps ?? Infinity) };
}

/** Returns the number of steps over which the learning rate rises. */
export function warmupSteps(request: TrainingRequest, { perEpoch }: RunLength): number {
  return Math.round(request.warmupEpochs * perEpoch);
}

/** Returns the number of steps between two checkpoints. */
export function checkpointSteps({ checkpointEvery }: TrainingRequest, { perEpoch }: RunLength): number {
  return checkpointEvery.steps ?? checkpointEvery.epochs! * perEpoch;
}

/** Returns the first field whose value a run of this length does not allow, or null. */
export function runLengthIssue(request: TrainingRequest, length: RunLength): RequestIssue | null {
  const { perEpoch, epochs, total } = length;
  if (epochs > JOB_LIMITS.epochs) {
    const max = JOB_LIMITS.epochs * perEpoch;
    const message = `must not be above ${max}, which are ${JOB_LIMITS.epochs} epochs of ${perEpoch} steps: ` +
      `current value is ${request.maxSteps}`;
    return { field: "max_steps", message };
  }
  const warmup = warmupSteps(request, length);
  if (warmup <= total) return null;
  const message =
    `must not be longer than the run: ${request.warmupEpochs} epochs are ${warmup} steps, and the run has ` +
    `${total}`;
  return { field: "warmup_epochs", message };
}

/** Returns warnings about fields of a request that have no effect, or another one, in a run of this length. */
export function runLengthWarnings(request: TrainingRequest, length: RunLength, images: number): string[] {
  const { perEpoch, epochs, total } = length, { maxSteps, batchSize, dropLast, warmupEpochs } = request;
  const warnings: string[] = [];
  if (maxSteps !== undefined && total < maxSteps) {
    warnings.push(
      `The run ends after ${total} steps, not ${maxSteps}: epochs is ${epochs}, and an epoch has ${perEpoch} steps. ` +
        "Leave out epochs to run all max_steps steps",
    );
  }
  if (!dropLast && batchSize > images) {
    warnings.push(
      `batch_size is ${batchSize}, but there are ${images} training images: every batch has all of them`,
    );
  }
  const warmup = warmupSteps(request, length);
  if (warmup > total) {
    const reached = `${(100 * total / warmup).toPrecision(2)} % of lr`;
    warnings.push(`The warm-up of ${warmup} steps is longer than the run of ${total}: it ends at ${reached}`);
  }
  if (warmupEpochs > 0 && warmup === 0) {
    warnings.push(`warmup_epochs is ${warmupEpochs}, which is less than a step: there is no warm-up`);
  }
  const every = checkpointSteps(request, length);
  // One epoch is the default, which the user did not choose.
  if (every > total && request.checkpointEvery.epochs !== 1) {
    warnings.push(
      `checkpoint_every is ${every} steps, and the run has ${total}: its only checkpoint is the one at the end`,
    );
  }
  return warnings;
}
