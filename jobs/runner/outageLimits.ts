/**
 * Time limits of an outage of object storage, and the error of a job that exceeds them.
 *
 * @module
 */

/** Time limits of an outage of object storage, in milliseconds. */
export interface OutageLimits {
  /** Longest wait of a run before its job is queued again. */
  readonly waitMs: number;
  /** Length of an outage after which the jobs that it interrupted fail. */
  readonly limitMs: number;
}

/** The default limits: a wait of ten minutes, and an outage of one day. */
export const OUTAGE_LIMITS: OutageLimits = { waitMs: 600_000, limitMs: 24 * 3_600_000 };

/** Returns the error of a job that fails because an outage exceeded the limit. */
export function outageError(reason: string, limitMs: number): { code: string; message: string } {
  const hours = Number((limitMs / 3_600_000).toPrecision(3));
  return {
    code: "storage_unavailable",
    message: `An outage lasted for more than ${hours} h (UNMASK_OUTAGE_LIMIT_HOURS): ${reason}`,
  };
}
