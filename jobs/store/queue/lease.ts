/**
 * Leases: the time limit of a claim.
 *
 * @module
 */
import type { Lease } from "../rows/keys.ts";

/** Length of a lease, in milliseconds. */
export const LEASE_MS = 15_000;
/** The remaining share of a lease below which a heartbeat renews it. A lease of 15 s is renewed after 3 s. */
const RENEW_BELOW = 0.8;
/** Maximum remaining time of a valid lease, in lease lengths. It is exceeded only if the clock was set back. */
const MAX_LENGTHS_AHEAD = 2;

/** The claim is no longer the current one. The run must stop, and cannot write anything more. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
  constructor(readonly jobId: string) {
    super(`The lease of job '${jobId}' was lost: another runner may have it`);
  }
}

/** Returns true when a heartbeat must renew the lease. `leaseMs` is the length that the holder uses. */
export function needsRenewal({ until }: Lease, leaseMs: number, now: number): boolean {
  const remaining = until - now;
  // More than a whole lease remains if the clock was set back.
  return remaining <= leaseMs * RENEW_BELOW || remaining > leaseMs;
}

/**
 * Returns true when a lease has expired, or ends so far ahead that it was written before the clock was set back. A
 * running holder would have renewed it since.
 */
export function hasExpired({ until, leaseMs = LEASE_MS }: Lease, now: number): boolean {
  return until < now || until > now + MAX_LENGTHS_AHEAD * leaseMs;
}
