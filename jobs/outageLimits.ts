/**
 * How long outages are waited for, and what becomes of a job after that.
 *
 * @module
 */

/** How long a run waits for object storage. Milliseconds. */
export interface OutageLimits {
  /** Wait of a run that holds its job; then the job goes back to the queue. */
  readonly waitMs: number;
  /** After an outage of this length the jobs that it interrupted fail. */
  readonly limitMs: number;
}

/** How long an outage is waited for, unless the settings say otherwise. */
export const OUTAGE_LIMITS: OutageLimits = { waitMs: 600_000, limitMs: 24 * 3_600_000 };

/** Why a job fails after an outage of that length. */
export function outageError(reason: string, limitMs: number): { code: string; message: string } {
  const hours = Number((limitMs / 3_600_000).toPrecision(3));
  return {
    code: "storage_unavailable",
    message: `An outage lasted for more than ${hours} h (UNMASK_OUTAGE_LIMIT_HOURS): ${reason}`,
  };
}
