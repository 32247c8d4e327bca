/**
 * A job's events in the form of server-sent events.
 *
 * @module
 */
import type { Services } from "./environment.ts";
import { eventWire } from "./schemas/event.ts";

/**
 * Events above `after` as they come; a comment after each silence of `heartbeatMs`; an `end` event and the stream's
 * end once the job is finished.
 *
 * @param closed called once, when the stream ends or its reader goes away
 */
export function eventStream(
  services: Services,
  jobId: string,
  after: number,
  clientGone: AbortSignal,
  closed: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  const gone = new AbortController();
  const signal = AbortSignal.any([clientGone, gone.signal]);
  const events = services.jobs.follow(jobId, after, signal);
  let waiting: Promise<IteratorResult<unknown>> | null = null;
  let isClosed = false;
  const close = () => {
    if (!isClosed) closed();
    isClosed = true;
  };

  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode("retry: 2000\n\n"));
    },
    async pull(controller) {
      const next = events.next.bind(events);
      const upcoming = (waiting ??= next()) as ReturnType<typeof next>;
      const result = await orSilence(upcoming, services.limits.heartbeatMs).catch((error) => {
        close();
        throw error;
      });
      if (result === null) return controller.enqueue(encoder.encode(": heartbeat\n\n"));
      waiting = null;
      if (result.done) {
        if (!signal.aborted) controller.enqueue(encoder.encode("event: end\ndata: {}\n\n"));
        controller.close();
        return close();
      }
      const { seq, type } = result.value;
      const data = JSON.stringify(eventWire(result.value));
      controller.enqueue(encoder.encode(`id: ${seq}\nevent: ${type}\ndata: ${data}\n\n`));
    },
    async cancel() {
      gone.abort();
      close();
      await waiting?.catch(() => {});
      await events.return?.(undefined);
    },
  }, { highWaterMark: 0 });
}

async function orSilence<T>(work: Promise<T>, milliseconds: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), milliseconds));
  try {
    return await Promise.race([work, silence]);
  } finally {
    clearTimeout(timer);
  }
}
