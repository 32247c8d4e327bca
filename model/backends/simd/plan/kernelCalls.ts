/**
 * Kernel calls of a thread that computes steps.
 *
 * @module
 */
import type { AdamWScalars } from "../../../ops/adamw.ts";
import type { Kernels } from "../instance.ts";
import type { KernelCall } from "./compile.ts";
import type { OptimizerShare } from "./messages.ts";

/** Returns a function for each call. */
export function bindCalls(kernels: Kernels, calls: readonly KernelCall[]): (() => void)[] {
  // A closure for each call, because V8 optimises a call site with a single target best.
  return calls.map(([name, ...args]) => {
    const kernel = kernels[name];
    return () => kernel(...args);
  });
}

/** Runs AdamW on a share of the parameters. @param threads number of gradients that are added */
export function updateShare(
  kernels: Kernels,
  { size, param, expAvg, expAvgSq, grad, gradStride }: OptimizerShare,
  threads: number,
  scalars: AdamWScalars,
): void {
  const { decay, oneMinusBeta1, beta2, oneMinusBeta2, biasCorrection2Sqrt, eps, stepSize } = scalars;
  kernels.adamw(
    ...[size, param, expAvg, expAvgSq, grad, threads, gradStride],
    ...[decay, oneMinusBeta1, beta2, oneMinusBeta2, biasCorrection2Sqrt, eps, stepSize],
  );
}
