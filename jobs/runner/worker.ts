/**
 * The worker of a run. It runs the job, sends its events, and waits until checkpoints are recorded.
 *
 * @module
 */
import { DatasetUnavailableError } from "../../data/datasets/dataset.ts";
import { openStore } from "../../data/objects/open.ts";
import { JobFailure } from "../failure.ts";
import type { KindEvent } from "../kinds/kind.ts";
import { runJob } from "../kinds/mod.ts";
import { AWAITED, type FromWorker, type RunStart, type ToWorker } from "./messages.ts";
import { storageFailure } from "./outageRetry.ts";
import { RetryingStore } from "./retryingStore.ts";
import { threadRequester } from "./threads.ts";

// deno-lint-ignore no-explicit-any -- the worker's global scope has no type of its own in Deno's window library
const scope = self as any;
const send = (message: FromWorker, transfer: Transferable[] = []) => scope.postMessage(message, transfer);
const stopped = new AbortController();
let recorded = Promise.withResolvers<void>();

/** Maximum time for which a step is buffered, in milliseconds. The buffer reduces the number of messages. */
const BUFFER_MS = 100;
let buffer: KindEvent[] = [];
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
  if (event.type !== "step" || event.step === 1) flush();
  else flushTimer ??= setTimeout(flush, BUFFER_MS);
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
    const context = {
      jobId,
      request,
      settings,
      store,
      resumePoints,
      source,
      signal: stopped.signal,
      startThread: threadRequester(send),
    };
    for await (const event of runJob(context)) {
      recorded = Promise.withResolvers();
      emit(event);
      if (AWAITED.has(event.type)) await recorded.promise;
      stopped.signal.throwIfAborted();
    }
    flush();
    send({ type: "ended" });
  } catch (error) {
    flush();
    const outage = stopped.signal.aborted ? null : storageFailure(error);
    if (outage) {
      const isStorage = !(outage instanceof DatasetUnavailableError);
      const waitedMs = isStorage ? store?.waitedMs ?? 0 : performance.now() - began;
      return send({ type: "unavailable", message: outage.message, waitedMs, isStorage });
    }
    const stack = error instanceof Error ? error.stack ?? error.message : String(error);
    const message = error instanceof Error ? error.message : String(error);
    send({ type: "failed", code: error instanceof JobFailure ? error.code : null, message, stack });
  }
}

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "run") run(data);
  else if (data.type === "recorded") recorded.resolve();
  else {
    stopped.abort(new Error("The run was stopped"));
    recorded.resolve();
  }
};
