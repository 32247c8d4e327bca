/**
 * Failures that end a job.
 *
 * @module
 */

/** An error that retrying cannot solve. The job fails, and its user reads the code and the message. */
export class JobFailure extends Error {
  override readonly name = "JobFailure";
  /** @param code the reason for programs, such as `no_batches` */
  constructor(readonly code: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
