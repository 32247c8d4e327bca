/**
 * What happened to a job, told in order: numbered events that are only ever added.
 *
 * @module
 */
import { withRetry } from "./kv.ts";
import { keys } from "./rows.ts";

/** What an event is about. */
export const EVENT_TYPES = ["status", "progress", "epoch", "checkpoint", "log"] as const;
/** What an event is about. */
export type EventType = typeof EVENT_TYPES[number];

/** An event of a job. */
export interface JobEvent {
  /** Counts from 1, always grows; has gaps where old progress was dropped. */
  readonly seq: number;
  readonly type: EventType;
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  /** What a program wants to know: the progress, the epoch's figures, the checkpoint's id, the state. */
  readonly data: Readonly<Record<string, unknown>>;
  /** RFC 3339. */
  readonly createdAt: string;
}

/** An event before it has its number and time. */
export type NewEvent = Omit<JobEvent, "seq" | "createdAt">;

/** How much is kept of what a job tells. */
export const EVENT_LIMITS = {
  /** Progress events kept; older ones are in the metrics as a series. */
  progress: 100,
  /** Checkpoint events kept. A run may write a checkpoint after each of a hundred million steps. */
  checkpoints: 200,
  /** Log events of a job, after which the rest is dropped. */
  logs: 5000,
  messageLength: 4000,
  /** Events of a page. */
  page: 1000,
} as const;

/** Events with numbers and times; log events over the limit are left out. */
export function drafted(seq: number, events: readonly NewEvent[], createdAt: string, logs = 0): {
  seq: number;
  events: JobEvent[];
  logs: number;
} {
  const taken: JobEvent[] = [];
  for (const event of events) {
    if (event.type === "log") {
      logs++;
      if (logs > EVENT_LIMITS.logs) continue;
    }
    const last = event.type === "log" && logs === EVENT_LIMITS.logs;
    const message = last ? "Too many log messages: the rest is dropped" : event.message;
    taken.push({ ...event, message: message.slice(0, EVENT_LIMITS.messageLength), seq: ++seq, createdAt });
  }
  return { seq, events: taken, logs };
}

/**
 * Determines which events of a type are kept after `events` are added. The oldest above the limit are dropped.
 *
 * @param kept numbers of those kept so far, in increasing order
 */
export function withLatest(
  kept: readonly number[],
  events: readonly JobEvent[],
  type: EventType,
  limit: number,
): { kept: number[]; dropped: number[] } {
  const all = [...kept, ...events.filter((event) => event.type === type).map(({ seq }) => seq)];
  const surplus = Math.max(0, all.length - limit);
  return { kept: all.slice(surplus), dropped: all.slice(0, surplus) };
}

/**
 * Events with numbers above `after`, oldest first.
 *
 * @param limit 1 to 1000
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
