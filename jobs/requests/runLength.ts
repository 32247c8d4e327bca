/**
 * The length of a training in epochs and steps, and the fields of a request that do not fit it.
 *
 * @module
 */
import type { RequestIssue } from "./commonFields.ts";
import { JOB_LIMITS } from "./limits.ts";
import type { TrainingRequest } from "./trainingFields.ts";

/** The length of a training. */
export interface RunLength {
  /** Number of optimiser steps of an epoch; 0 when the images do not fill a batch. */
  readonly stepsPerEpoch: number;
  readonly epochs: number;
  /** Number of optimiser steps of the run. */
  readonly totalSteps: number;
}

/**
 * Returns the length of a run over `images` training images. Without `epochs` it is one epoch, or the number of epochs
 * that `max_steps` needs. With both fields the run ends at the smaller of the two limits.
 */
export function runLength(request: TrainingRequest, images: number): RunLength {
  const { batchSize, dropLast, maxSteps } = request;
  const stepsPerEpoch = dropLast ? Math.floor(images / batchSize) : Math.ceil(images / batchSize);
  const needed = maxSteps === undefined ? 1 : Math.ceil(maxSteps / Math.max(1, stepsPerEpoch));
  const epochs = request.epochs ?? needed;
  return { stepsPerEpoch, epochs, totalSteps: Math.min(epochs * stepsPerEpoch, maxSteps ?? Infinity) };
}

/** Returns the number of steps over which the learning rate rises. */
export function warmupSteps(request: TrainingRequest, { stepsPerEpoch }: RunLength): number {
  return Math.round(request.warmupEpochs * stepsPerEpoch);
}

/** Returns the number of steps between two checkpoints. */
export function checkpointSteps({ checkpointEvery }: TrainingRequest, { stepsPerEpoch }: RunLength): number {
  return checkpointEvery.steps ?? checkpointEvery.epochs! * stepsPerEpoch;
}

/** Returns the first field whose value a run of this length does not allow, or null. */
export function runLengthIssue(request: TrainingRequest, length: RunLength): RequestIssue | null {
  const { stepsPerEpoch, epochs, totalSteps } = length;
  if (epochs > JOB_LIMITS.epochs) {
    const max = JOB_LIMITS.epochs * stepsPerEpoch;
    const message = `must not be above ${max}, which is ${JOB_LIMITS.epochs} epochs of ${stepsPerEpoch} ` +
      `steps: current value is ${request.maxSteps}`;
    return { field: "max_steps", message };
  }
  const warmup = warmupSteps(request, length);
  if (warmup <= totalSteps) return null;
  const message =
    `must not be longer than the run: ${request.warmupEpochs} epochs are ${warmup} steps, and the run has ` +
    `${totalSteps}`;
  return { field: "warmup_epochs", message };
}

/** Returns warnings about fields that have no effect, or an unexpected one, in a run of this length. */
export function runLengthWarnings(request: TrainingRequest, length: RunLength, images: number): string[] {
  const { stepsPerEpoch, epochs, totalSteps } = length;
  const { maxSteps, batchSize, dropLast, warmupEpochs } = request;
  const warnings: string[] = [];
  if (maxSteps !== undefined && totalSteps < maxSteps) {
    warnings.push(
      `The run ends after ${totalSteps} steps, not ${maxSteps}: epochs is ${epochs}, and an epoch has ` +
        `${stepsPerEpoch} steps. Leave out epochs to run all max_steps steps`,
    );
  }
  if (!dropLast && batchSize > images) {
    warnings.push(
      `batch_size is ${batchSize}, but there are ${images} training images: every batch has all of them`,
    );
  }
  if (warmupEpochs > 0 && warmupSteps(request, length) === 0) {
    warnings.push(`warmup_epochs is ${warmupEpochs}, which is less than a step: there is no warm-up`);
  }
  const every = checkpointSteps(request, length);
  // One epoch is the default, which the user did not choose.
  if (every > totalSteps && request.checkpointEvery.epochs !== 1) {
    warnings.push(
      `checkpoint_every is ${every} steps, and the run has ${totalSteps}: its only checkpoint is the one at the end`,
    );
  }
  return warnings;
}
