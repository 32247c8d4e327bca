/**
 * The event log of a job: an append-only list of numbered records.
 *
 * @module
 */

/** Types of events. */
export const EVENT_TYPES = ["status", "progress", "epoch", "checkpoint", "log"] as const;
/** Type of an event. */
export type EventType = typeof EVENT_TYPES[number];

/** An event of a job. */
export interface JobEvent {
  /** Sequence number, from 1. There are gaps where old events were deleted. */
  readonly seq: number;
  readonly type: EventType;
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  /** Machine-readable content: the status, the progress, the epoch's metrics or the checkpoint's id. */
  readonly data: Readonly<Record<string, unknown>>;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** An event before it has its number and time. */
export type NewEvent = Omit<JobEvent, "seq" | "createdAt">;

/** Limits of the event log of a job. */
export const EVENT_LIMITS = {
  /** Number of progress events that are kept. The metrics have the whole series. */
  progress: 100,
  /** Number of checkpoint events that are kept. A run may write a checkpoint after each of a hundred million steps. */
  checkpoints: 200,
  /** Number of log events that are stored. Later ones are dropped. */
  logs: 5000,
  messageLength: 4000,
  /** Number of events in a page. */
  page: 1000,
} as const;

/**
 * Numbers new events and adds their time. Log events above the limit are dropped.
 *
 * @param seq number of the job's latest event
 * @param logs number of the job's log events so far
 * @returns the events, and both numbers after them
 */
export function numberEvents(seq: number, events: readonly NewEvent[], createdAt: string, logs = 0): {
  seq: number;
  events: JobEvent[];
  logs: number;
} {
  const numbered: JobEvent[] = [];
  for (const event of events) {
    if (event.type === "log") {
      logs++;
      if (logs > EVENT_LIMITS.logs) continue;
    }
    const isLast = event.type === "log" && logs === EVENT_LIMITS.logs;
    const message = isLast ? "Too many log messages: the rest is dropped" : event.message;
    numbered.push({ ...event, message: message.slice(0, EVENT_LIMITS.messageLength), seq: ++seq, createdAt });
  }
  return { seq, events: numbered, logs };
}

/**
 * Returns the numbers of the events of a type that are kept after `events` were added. The oldest ones above the limit
 * are dropped.
 *
 * @param kept numbers of those kept so far, in increasing order
 */
export function keepLatest(
  kept: readonly number[],
  events: readonly JobEvent[],
  type: EventType,
  limit: number,
): { kept: number[]; dropped: number[] } {
  const all = [...kept, ...events.filter((event) => event.type === type).map(({ seq }) => seq)];
  const surplus = Math.max(0, all.length - limit);
  return { kept: all.slice(surplus), dropped: all.slice(0, surplus) };
}
