/**
 * Reads the events of a job.
 *
 * @module
 */
import { withRetry } from "../kv/retry.ts";
import { keys } from "../rows/keys.ts";
import { EVENT_LIMITS, type JobEvent } from "./event.ts";

/**
 * Returns the events with numbers above `after`, oldest first.
 *
 * @param limit maximum number of events, 1 to 1000
 * @throws {RangeError} for a limit outside this range
 */
export function pageEvents(kv: Deno.Kv, jobId: string, after = 0, limit = 100): Promise<JobEvent[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > EVENT_LIMITS.page) {
    throw new RangeError(
      `limit must be a whole number from 1 to ${EVENT_LIMITS.page}: current value is ${limit}`,
    );
  }
  const start = keys.event(jobId, after + 1);
  return withRetry(async () => {
    const events: JobEvent[] = [];
    const end = keys.event(jobId, Number.MAX_SAFE_INTEGER);
    const batchSize = Math.min(limit, 500);
    for await (const { value } of kv.list<JobEvent>({ start, end }, { limit, batchSize })) events.push(value);
    return events;
  });
}
