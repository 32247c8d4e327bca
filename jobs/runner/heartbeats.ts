/**
 * The heartbeats of a run.
 *
 * @module
 */
import { pause } from "../../data/backoff.ts";
import { DatabaseUnavailableError } from "../store/kv/errors.ts";
import type { Claim } from "../store/queue/claim.ts";
import { LeaseLostError } from "../store/queue/lease.ts";

/** Maximum pause between two heartbeats, in milliseconds. A heartbeat also detects a cancel request. */
const HEARTBEAT_MS = 500;

/** Callbacks of the heartbeats. */
export interface HeartbeatListener {
  /** A client has cancelled the job. */
  cancelRequested(): void;
  /** The lease was lost, or it expired by the clock of this process while the database was unavailable. */
  leaseLost(error: LeaseLostError | DatabaseUnavailableError): void;
  /** A heartbeat failed for another reason. */
  failed(error: unknown): void;
}

/** Renews the lease of a claim until the signal is aborted or the lease is lost. @param leaseMs length of the lease */
export async function sendHeartbeats(
  claim: Claim,
  leaseMs: number,
  listener: HeartbeatListener,
  ended: AbortSignal,
): Promise<void> {
  const intervalMs = Math.min(HEARTBEAT_MS, leaseMs / 5);
  while (!ended.aborted) {
    try {
      const { cancelRequested } = await claim.heartbeat();
      if (cancelRequested) listener.cancelRequested();
    } catch (error) {
      if (error instanceof LeaseLostError) return listener.leaseLost(error);
      if (!(error instanceof DatabaseUnavailableError)) listener.failed(error);
      // After the lease has expired, another runner may run the job too.
      else if (claim.remainingMs < 0) listener.leaseLost(error);
    }
    await pause(intervalMs, ended);
  }
}
