/**
 * The position of a training: its completed steps, and what follows the latest one.
 *
 * @module
 */
import { TrainingError } from "./error.ts";
import type { Schedule } from "./schedule.ts";

/** The length of a training and of its parts, in steps. */
export interface TrainingLength {
  /** The training ends after `totalSteps`. */
  readonly schedule: Schedule;
  readonly stepsPerEpoch: number;
  /** Number of steps between checkpoints. A final checkpoint follows the last step. */
  readonly checkpointSteps: number;
}

/** Counts the steps of a training and sums the losses of an epoch. */
export class Position {
  readonly #length: TrainingLength;
  #step: number;
  #epochLossSum: number;

  constructor(length: TrainingLength, { step, epochLossSum } = { step: 0, epochLossSum: 0 }) {
    this.#length = length;
    this.#step = step;
    this.#epochLossSum = epochLossSum;
  }

  /** Number of completed steps. */
  get step(): number {
    return this.#step;
  }

  /** Sum of the losses of the current epoch. */
  get epochLossSum(): number {
    return this.#epochLossSum;
  }

  /** Adds a completed step. @throws {TrainingError} `loss_not_finite`; the step is not added */
  complete(loss: number): void {
    if (!Number.isFinite(loss)) throw divergence(loss, this.#step + 1, this.#length.schedule);
    if (this.#step % this.#length.stepsPerEpoch === 0) this.#epochLossSum = 0;
    this.#step++;
    this.#epochLossSum += loss;
  }

  /** Whether the latest step is the last one of the training. */
  get isFinal(): boolean {
    return this.#step === this.#length.schedule.totalSteps;
  }

  /** Whether the latest step is the last one of an epoch. */
  get endsEpoch(): boolean {
    return this.#step % this.#length.stepsPerEpoch === 0 || this.isFinal;
  }

  /** Whether a checkpoint follows the latest step. */
  get isSaved(): boolean {
    return this.isSavedAt(this.#step);
  }

  /** Returns whether a checkpoint follows a step. */
  isSavedAt(step: number): boolean {
    return step % this.#length.checkpointSteps === 0 || step === this.#length.schedule.totalSteps;
  }

  /** Mean loss of the steps of the latest step's epoch. */
  get epochLoss(): number {
    return this.#epochLossSum / ((this.#step - 1) % this.#length.stepsPerEpoch + 1);
  }
}

/** Returns the error for a loss that is NaN or infinite. */
function divergence(loss: number, step: number, { lr, warmupSteps }: Schedule): TrainingError {
  return new TrainingError(
    "loss_not_finite",
    `The loss is ${loss} at step ${step}: training has diverged. Choose a lower lr than ${lr}, or a longer ` +
      `warm-up than ${warmupSteps} steps. The last checkpoints before this step may be unusable`,
  );
}
