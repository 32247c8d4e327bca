/**
 * The state from which a training resumes, read one tensor after the other.
 *
 * @module
 */
import { collectTensors, type HostTensor, type HostWeights, type TensorStream } from "../weights.ts";
import type { OptimizerState } from "./optimizer.ts";
import type { TrainerState } from "./trainerEvents.ts";

/** A moment of AdamW, by PyTorch's name. */
export type MomentName = "exp_avg" | "exp_avg_sq";

/** Returns the name of a parameter's moment in a stream. */
export const momentKey = (moment: MomentName, parameter: string): string => `${moment}.${parameter}`;

/** The moments of AdamW to continue from, and the number of completed steps. */
export interface StoredOptimizer {
  readonly step: number;
  /** Both moments of each trainable parameter, named by {@linkcode momentKey}, readable several times. */
  readonly moments: TensorStream;
}

/** A state to resume from. */
export interface StoredState {
  /** Number of completed steps. */
  readonly step: number;
  /** Sum of the losses of the current epoch. */
  readonly epochLossSum: number;
  /** Reads every parameter of the model. */
  weights(): TensorStream;
  /** Reads both moments of each trainable parameter, named by {@linkcode momentKey}. */
  moments(): TensorStream;
}

/** Returns the moments in memory as a stream. */
export function* streamMoments({ expAvg, expAvgSq }: OptimizerState): Generator<[string, HostTensor], void> {
  for (const [name, tensor] of expAvg) yield [momentKey("exp_avg", name), tensor];
  for (const [name, tensor] of expAvgSq) yield [momentKey("exp_avg_sq", name), tensor];
}

/** Returns a state in memory as one that can be read. */
export function storedState({ step, epochLossSum, weights, optimizer }: TrainerState): StoredState {
  return { step, epochLossSum, weights: () => weights, moments: () => streamMoments(optimizer) };
}

/** Reads moments to the end. @param names of the trainable parameters */
export async function collectOptimizer(
  { step, moments }: StoredOptimizer,
  names: readonly string[],
): Promise<OptimizerState> {
  const tensors = await collectTensors(moments);
  const of = (moment: MomentName): HostWeights =>
    new Map(names.map((name) => [name, tensors.get(momentKey(moment, name))!]));
  return { step, expAvg: of("exp_avg"), expAvgSq: of("exp_avg_sq") };
}
