/**
 * Steps and progress for the tests of updates.
 *
 * @module
 */
import type { JobProgress } from "../../../jobs/job.ts";

/** Returns the progress at a step. */
export const progressAt = (step: number): JobProgress => ({
  step,
  totalSteps: 100,
  epoch: 0,
  loss: 1 / step,
  imagesPerSecond: 1000,
  etaSeconds: 100 - step,
});
/** Returns a step. Its loss also depends on `run`. */
export const point = (step: number, run = 0) => ({ step, epoch: 0, loss: 1 / step + run, lr: 1e-3 });
/** Returns the steps from `first` to `last`. */
export const points = (first: number, last: number, run = 0) =>
  Array.from({ length: last - first + 1 }, (_, i) => point(first + i, run));
