/**
 * Learning rates over a run (He et al. 2022, table 8: linear warm-up, then half a cosine; per step, not per epoch).
 *
 * @module
 */

/** How the learning rate moves. Lengths are in optimiser steps. */
export interface Schedule {
  readonly kind: "constant" | "cosine";
  /** Peak learning rate. */
  readonly lr: number;
  /** Rate at the end of the cosine. */
  readonly minLr: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/** Learning rate of a step. @param step optimiser steps done before it, from 0 */
export function learningRate(schedule: Schedule, step: number): number {
  const { kind, lr, minLr, warmupSteps, totalSteps } = schedule;
  if (step < warmupSteps) return lr * (step + 1) / warmupSteps;
  if (kind === "constant") return lr;
  const done = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return minLr + (lr - minLr) * 0.5 * (1 + Math.cos(Math.PI * done));
}
