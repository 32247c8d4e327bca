/**
 * Follows a job: yields its events as they occur, or waits for its end.
 *
 * @module
 */
import { jittered, pause } from "../../../data/backoff.ts";
import type { Job } from "../../job.ts";
import { isFinished } from "../../transitions.ts";
import { isTransient } from "../kv/errors.ts";
import type { JobEvent } from "./event.ts";
import { pageEvents } from "./read.ts";
import type { JobWatcher } from "./watch.ts";

/** Longest pause between two attempts to read older events in an outage, in milliseconds. */
const OUTAGE_PAUSE_MS = 1_000;

/**
 * Yields the events above `after` as they occur. Ends when the job is finished and all of them were yielded, when the
 * job is deleted, or when the signal is aborted. All followers of a job receive the same objects. A slow follower needs
 * no buffer, because the events that it has missed are read from the database, in order. Old progress events may be
 * missing there.
 */
export async function* followEvents(
  watcher: JobWatcher,
  kv: Deno.Kv,
  jobId: string,
  after = 0,
  signal?: AbortSignal,
): AsyncGenerator<JobEvent, void> {
  const watched = watcher.join(jobId);
  try {
    while (!signal?.aborted) {
      const { row, failure, floor } = watched;
      if (failure) throw failure;
      if (row === null) return;
      let events = row === undefined ? [] : watched.recent(after);
      if (events === null) {
        events = await tryPage(kv, jobId, after);
        // All events older than those in memory have been yielded or deleted.
        if (events?.length === 0) after = floor;
        if (events === null) await pause(jittered(OUTAGE_PAUSE_MS), signal);
      } else if (events.length === 0) {
        if (row && isFinished(row.job.status)) return;
        await watched.changed(signal);
      }
      for (const event of events ?? []) {
        if (signal?.aborted) return;
        yield event;
        after = event.seq;
      }
    }
  } finally {
    watcher.leave(watched);
  }
}

/** Returns a page of events; null while the database is unavailable. */
async function tryPage(kv: Deno.Kv, jobId: string, after: number): Promise<JobEvent[] | null> {
  try {
    return await pageEvents(kv, jobId, after);
  } catch (error) {
    if (isTransient(error)) return null;
    throw error;
  }
}

/** Waits until the job is finished. Null when the job is deleted or the signal is aborted before that. */
export async function finishedJob(
  watcher: JobWatcher,
  jobId: string,
  signal?: AbortSignal,
): Promise<Job | null> {
  const watched = watcher.join(jobId);
  try {
    while (!signal?.aborted) {
      const { row, failure } = watched;
      if (failure) throw failure;
      if (row === null) return null;
      if (row && isFinished(row.job.status)) return row.job;
      await watched.changed(signal);
    }
    return null;
  } finally {
    watcher.leave(watched);
  }
}
