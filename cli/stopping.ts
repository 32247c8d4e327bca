/**
 * The end of a service: its steps in order, each with its time, none prevented by another.
 *
 * @module
 */

/** A step of the end. */
export interface StopStep {
  /** For the log, as in "UNMASK could not …". */
  readonly what: string;
  /** Share of the remaining time that it may take, above 0 to 1. */
  readonly share: number;
  /** Does the step. @param withinMs its time, in milliseconds */
  run(withinMs: number): Promise<void> | void;
}

/**
 * Runs every step, whatever becomes of the ones before.
 *
 * @param withinMs time for all of them, in milliseconds
 * @returns false when a step failed or took too long; the process should then end itself
 */
export async function runSteps(
  steps: readonly StopStep[],
  withinMs: number,
  log: (message: string, error?: unknown) => void,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  let isWhole = true;
  for (const { what, share, run } of steps) {
    const time = Math.max(0, deadline - performance.now()) * share;
    try {
      if (await ended(Promise.resolve(run(time)), time)) continue;
      log(`Stopping: ${what} took longer than ${(time / 1000).toFixed(1)} s`);
    } catch (error) {
      log(`Stopping: ${what} failed`, error);
    }
    isWhole = false;
  }
  return isWhole;
}

/** Whether the work ended in time. @throws what it throws in that time */
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
