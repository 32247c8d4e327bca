/**
 * The events of a training.
 *
 * @module
 */
import type { OptimizerState } from "./optimizer.ts";
import type { HostWeights } from "../weights.ts";

/** The state of a training between two steps. A training that resumes from it computes the same bits. */
export interface TrainerState {
  /** Number of completed steps. */
  readonly step: number;
  /** Sum of the losses of the current epoch. */
  readonly epochLossSum: number;
  /** Every parameter of the model, including frozen ones. */
  readonly weights: HostWeights;
  readonly optimizer: OptimizerState;
}

/** A step of a training. */
export interface StepOfTraining {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly lr: number;
}

/** Consecutive small steps. `images` is the number of their images. */
export interface StepsEvent {
  readonly type: "steps";
  readonly steps: readonly StepOfTraining[];
  readonly images: number;
}

/**
 * An event of a training. Epochs count from 0, steps from 1. The arrays in the state of a checkpoint may be views of the
 * memory in which the steps compute. No step runs until the consumer requests the event after the checkpoint, so it can
 * write them without a copy before that. The state of the final checkpoint does not change.
 */
export type TrainerEvent =
  | { readonly type: "ready"; threads: number; note: string | null }
  | { readonly type: "step"; readonly images: number } & StepOfTraining
  | StepsEvent
  | { readonly type: "epoch"; step: number; epoch: number; loss: number }
  | {
    readonly type: "checkpoint";
    step: number;
    epoch: number;
    final: boolean;
    loss: number;
    state: TrainerState;
  };
