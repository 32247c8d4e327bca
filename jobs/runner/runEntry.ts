/**
 * The module of a run's process. It runs the job, sends its events, and waits until checkpoints are recorded.
 *
 * @module
 */
import { DatasetUnavailableError } from "../../data/datasets/dataset.ts";
import { openStore } from "../../data/objects/open.ts";
import { JobFailure } from "../failure.ts";
import type { KindEvent } from "../kinds/kind.ts";
import { runJob } from "../kinds/mod.ts";
import { catchUncaughtErrors, connectToParentProcess } from "../process/entry.ts";
import { isAllocationFailure, outOfMemoryError } from "./crash.ts";
import { AWAITED, type FromRun, type RunStart, type ToRun } from "./messages.ts";
import { storageFailure } from "./outageRetry.ts";
import { RetryingStore } from "./retryingStore.ts";

const stopped = new AbortController();
/** Number of awaited events that the runner has not recorded yet. */
let unrecorded = 0;
let allRecorded = Promise.withResolvers<void>();

/** Maximum time for which a step is buffered, in milliseconds. The buffer reduces the number of messages. */
const BUFFER_MS = 100;
let buffer: KindEvent[] = [];
let isFirstStep = true;
let flushTimer: ReturnType<typeof setTimeout> | undefined;

function flush(): void {
  clearTimeout(flushTimer);
  flushTimer = undefined;
  if (buffer.length > 0) send({ type: "events", events: buffer });
  buffer = [];
}

/** Sends an event. Steps other than the first are sent in batches. */
function emit(event: KindEvent): void {
  buffer.push(event);
  const isStep = event.type === "step" || event.type === "steps";
  if (!isStep || isFirstStep) flush();
  else flushTimer ??= setTimeout(flush, BUFFER_MS);
  if (isStep) isFirstStep = false;
}

async function run(start: RunStart): Promise<void> {
  const { jobId, request, settings, storage, resumePoints, source, outageWaitMs } = start;
  const began = performance.now();
  let store: RetryingStore | undefined;
  try {
    store = new RetryingStore(openStore(storage, { mustExist: true }), {
      maxWaitMs: outageWaitMs,
      signal: stopped.signal,
      log: (level, message) => emit({ type: "log", level, message }),
    });
    const { signal } = stopped;
    const context = { jobId, request, settings, store, resumePoints, source, signal, recorded };
    for await (const event of runJob(context)) {
      if (AWAITED.has(event.type) && unrecorded++ === 0) allRecorded = Promise.withResolvers();
      emit(event);
      if (event.type === "fell_back") await recorded();
      signal.throwIfAborted();
    }
    flush();
    send({ type: "ended" });
  } catch (error) {
    const outage = stopped.signal.aborted ? null : storageFailure(error);
    if (outage === null) return fail(error);
    flush();
    const isStorage = !(outage instanceof DatasetUnavailableError);
    const waitedMs = isStorage ? store?.waitedMs ?? 0 : performance.now() - began;
    send({ type: "unavailable", message: outage.message, waitedMs, isStorage });
  }
}

/** Waits until the runner has recorded the awaited events. @throws the reason of the stop */
async function recorded(): Promise<void> {
  if (unrecorded > 0) await allRecorded.promise;
  if (unrecorded > 0) stopped.signal.throwIfAborted();
}

/** Sends the error that ended the run. */
function fail(error: unknown): void {
  flush();
  const { message, stack = message } = error instanceof Error ? error : new Error(String(error));
  const failure = error instanceof JobFailure
    ? error
    : error instanceof Error && isAllocationFailure(message)
    ? outOfMemoryError(message)
    : { code: null, message };
  send({ type: "failed", code: failure.code, message: failure.message, stack });
}

// Another attempt would fail too.
catchUncaughtErrors(fail);

const send = connectToParentProcess<ToRun, FromRun>((message) => {
  if (message.type === "run") run(message);
  else if (message.type === "recorded") {
    if (--unrecorded === 0) allRecorded.resolve();
  } else {
    stopped.abort(new Error("The run was stopped"));
    allRecorded.resolve();
  }
});
// The engine is loaded before a job arrives.
await import("../kinds/compute/mod.ts");
send({ type: "ready" });
