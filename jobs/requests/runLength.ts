/**
 * The length of a training run in epochs and steps, and the fields of a request that do not fit that length.
 *
 * @module
 */
import { JOB_LIMITS, type RequestOf } from "./schemas.ts";

/** A request that trains. */
export type TrainingRequest = RequestOf<"pretrain"> | RequestOf<"finetune"> | RequestOf<"linear_probe">;

/** Steps of a run. */
export interface RunLength {
  /** Optimiser steps in an epoch; 0 when the images do not fill a batch. */
  readonly perEpoch: number;
  readonly epochs: number;
  /** The last step of the run. */
  readonly total: number;
}

/**
 * The length of a run over `pictures` images. Without `epochs` it is one epoch, or the number of epochs that
 * `max_steps` needs. With both fields the run ends at the smaller of the two limits.
 */
export function runLength(request: TrainingRequest, pictures: number): RunLength {
  const { batchSize, dropLast, maxSteps } = request;
  const perEpoch = dropLast ? Math.floor(pictures / batchSize) : Math.ceil(pictures / batchSize);
  const needed = maxSteps === undefined ? 1 : Math.ceil(maxSteps / Math.max(1, perEpoch));
  const epochs = request.epochs ?? needed;
  return { perEpoch, epochs, total: Math.min(epochs * perEpoch, maxSteps ?? Infinity) };
}

/** Steps over which the learning rate rises. */
export function warmupSteps(request: TrainingRequest, { perEpoch }: RunLength): number {
  return Math.round(request.warmupEpochs * perEpoch);
}

/** Steps between two checkpoints. */
export function checkpointSteps({ checkpointEvery }: TrainingRequest, { perEpoch }: RunLength): number {
  return checkpointEvery.steps ?? checkpointEvery.epochs! * perEpoch;
}

/** The first field with a value that a run of this length does not allow, with a message; null when there is none. */
export function lengthFault(
  request: TrainingRequest,
  length: RunLength,
): { readonly field: "max_steps" | "warmup_epochs"; readonly message: string } | null {
  const { perEpoch, epochs, total } = length;
  if (epochs > JOB_LIMITS.epochs) {
    const most = JOB_LIMITS.epochs * perEpoch;
    const message =
      `must not be above ${most}, which are ${JOB_LIMITS.epochs} epochs of ${perEpoch} steps: ` +
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

/** Warnings about fields of a request that have no or another effect in a run of this length. */
export function lengthWarnings(request: TrainingRequest, length: RunLength, pictures: number): string[] {
  const { perEpoch, epochs, total } = length, { maxSteps, batchSize, dropLast, warmupEpochs } = request;
  const warnings: string[] = [];
  if (maxSteps !== undefined && total < maxSteps) {
    warnings.push(
      `The run ends after ${total} steps, not ${maxSteps}: epochs is ${epochs}, and an epoch has ${perEpoch} steps. ` +
        "Leave out epochs to run all max_steps steps",
    );
  }
  if (!dropLast && batchSize > pictures) {
    warnings.push(
      `batch_size is ${batchSize}, but there are ${pictures} training images: every batch has all of them`,
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
  // One epoch is the default, so the user did not ask for it.
  if (every > total && request.checkpointEvery.epochs !== 1) {
    warnings.push(
      `checkpoint_every is ${every} steps, and the run has ${total}: its only checkpoint is the one at the end`,
    );
  }
  return warnings;
}
