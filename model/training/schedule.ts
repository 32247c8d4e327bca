/**
 * The learning rate over a run: a linear warm-up, then a constant rate or half a cosine (He et al. 2022, table 8). It
 * changes with every step, not every epoch.
 *
 * @module
 */

/** The course of the learning rate. Lengths are in optimiser steps. */
export interface Schedule {
  readonly kind: "constant" | "cosine";
  /** Peak learning rate. */
  readonly lr: number;
  /** Learning rate at the end of the cosine. */
  readonly minLr: number;
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/**
 * Returns the learning rate of a step.
 *
 * @param step number of optimiser steps before it
 *
 * @example
 * ```ts
 * import { learningRate } from "./schedule.ts";
 *
 * const schedule = { kind: "cosine", lr: 1e-3, minLr: 0, warmupSteps: 10, totalSteps: 110 } as const;
 * console.log(learningRate(schedule, 0), learningRate(schedule, 10), learningRate(schedule, 60)); // 0.0001 0.001 0.0005
 * ```
 */
export function learningRate(schedule: Schedule, step: number): number {
  const { kind, lr, minLr, warmupSteps, totalSteps } = schedule;
  if (step < warmupSteps) return lr * (step + 1) / warmupSteps;
  if (kind === "constant") return lr;
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  return minLr + (lr - minLr) * 0.5 * (1 + Math.cos(Math.PI * progress));
}
