/**
 * How long a job waits in an outage of object storage, and how it fails after that.
 *
 * @module
 */

/** Time limits of an outage, in milliseconds. */
export interface OutageLimits {
  /** How long a run waits before its job is queued again. */
  readonly waitMs: number;
  /** After an outage of this length, the jobs that it interrupted fail. */
  readonly limitMs: number;
}

/** The default limits: ten minutes and a day. */
export const OUTAGE_LIMITS: OutageLimits = { waitMs: 600_000, limitMs: 24 * 3_600_000 };

/** Returns the error of a job that fails because an outage exceeded the limit. */
export function outageError(reason: string, limitMs: number): { code: string; message: string } {
  const hours = Number((limitMs / 3_600_000).toPrecision(3));
  return {
    code: "storage_unavailable",
    message: `An outage lasted for more than ${hours} h (UNMASK_OUTAGE_LIMIT_HOURS): ${reason}`,
  };
}
