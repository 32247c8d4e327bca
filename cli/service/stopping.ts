/**
 * Stops a service in steps. Each step has a time limit.
 *
 * @module
 */

/** One step of stopping. */
export interface StopStep {
  /** Name for the log, as in "Stopping: handing jobs back failed". */
  readonly name: string;
  /** Share of the remaining time that it may take, above 0 to 1. */
  readonly share: number;
  /** Runs the step. @param withinMs its time limit, in milliseconds */
  run(withinMs: number): Promise<void> | void;
}

/**
 * Runs every step, even if an earlier one fails.
 *
 * @param withinMs time limit for all steps, in milliseconds
 * @returns false when a step failed or took too long; the process should then exit
 */
export async function runSteps(
  steps: readonly StopStep[],
  withinMs: number,
  log: (message: string, error?: unknown) => void,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  let isComplete = true;
  for (const { name, share, run } of steps) {
    const time = Math.max(0, deadline - performance.now()) * share;
    try {
      if (await ended(Promise.resolve(run(time)), time)) continue;
      log(`Stopping: ${name} took longer than ${(time / 1000).toFixed(1)} s`);
    } catch (error) {
      log(`Stopping: ${name} failed`, error);
    }
    isComplete = false;
  }
  return isComplete;
}

/** Returns whether the work ended in time. @throws the error of work that fails in that time */
async function ended(work: Promise<void>, withinMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), withinMs + 50));
  work.catch(() => {});
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
