/**
 * How long a job waits in an outage, and how it fails after that.
 *
 * @module
 */

/** How long a run waits for object storage, in milliseconds. */
export interface OutageLimits {
  /** How long a run waits before its job goes back to the queue. */
  readonly waitMs: number;
  /** After an outage of this length the jobs that it interrupted fail. */
  readonly limitMs: number;
}

/** The limits unless the settings give others. */
export const OUTAGE_LIMITS: OutageLimits = { waitMs: 600_000, limitMs: 24 * 3_600_000 };

/** The error of a job that fails because an outage exceeded the limit. */
export function outageError(reason: string, limitMs: number): { code: string; message: string } {
  const hours = Number((limitMs / 3_600_000).toPrecision(3));
  return {
    code: "storage_unavailable",
    message: `An outage lasted for more than ${hours} h (UNMASK_OUTAGE_LIMIT_HOURS): ${reason}`,
  };
}
