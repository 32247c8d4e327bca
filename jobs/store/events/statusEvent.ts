/**
 * The event that records a job's new status.
 *
 * @module
 */
import type { Job, JobStatus } from "../../job.ts";
import type { NewEvent } from "./event.ts";

const MESSAGES: Readonly<Record<JobStatus, string>> = {
  queued: "Queued",
  running: "Running",
  succeeded: "Succeeded",
  failed: "Failed",
  cancelled: "Cancelled",
};

/**
 * Returns the event for a job's status.
 *
 * @param cause why the job was interrupted; absent when its runner was lost or shut down
 */
export function statusEvent(job: Job, cause?: string): NewEvent {
  const data: Record<string, unknown> = { status: job.status, attempt: job.attempt };
  if (job.error) data.error = job.error;
  if (cause !== undefined) data.cause = cause;
  const level = job.status === "failed" ? "error" : "info";
  return { type: "status", level, message: messageOf(job, cause), data };
}

function messageOf({ status, error, attempt }: Job, cause?: string): string {
  if (status === "failed" && error) return `Failed: ${error.message}`;
  if (status === "queued" && attempt > 0) {
    return `Back in the queue: ${cause ?? "its runner was lost or shut down"}`;
  }
  return MESSAGES[status];
}
