/**
 * The error of a training.
 *
 * @module
 */

/** A training cannot continue. `code` identifies the reason. */
export class TrainingError extends Error {
  override readonly name = "TrainingError";
  constructor(readonly code: string, message: string) {
    super(message);
  }
}
