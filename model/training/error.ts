/**
 * The error of a training.
 *
 * @module
 */
import { formatGib } from "../memory.ts";

/** A training cannot continue. `code` identifies the reason. */
export class TrainingError extends Error {
  override readonly name = "TrainingError";
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** Returns the error of a step that needs too much memory. @param reason why `bytes` cannot be used */
export function outOfMemory(bytes: number, reason: string): TrainingError {
  return new TrainingError(
    "out_of_memory",
    `A training step needs ${formatGib(bytes)} of memory, ${reason}: choose a smaller batch_size or model`,
  );
}
