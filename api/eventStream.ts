/**
 * A job's events in the form of server-sent events.
 *
 * @module
 */
import type { JobEvent } from "../jobs/events.ts";
import type { Services } from "./environment.ts";
import { eventWire } from "./schemas/event.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const encode = (text: string): Bytes => new TextEncoder().encode(text);
const RETRY = encode("retry: 2000\n\n"), END = encode("event: end\ndata: {}\n\n");
const HEARTBEAT = encode(": heartbeat\n\n");

/** The streams of a job are given the same events: each is encoded once for all of them. */
const blocks = new WeakMap<JobEvent, Bytes>();

function block(event: JobEvent): Bytes {
  let bytes = blocks.get(event);
  if (bytes === undefined) {
    const { seq, type } = event;
    bytes = encode(`id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify(eventWire(event))}\n\n`);
    blocks.set(event, bytes);
  }
  return bytes;
}

/**
 * Events above `after` as they come; a comment after each silence of `heartbeatMs`; an `end` event and the stream's
 * end once the job is finished. It holds one event at a time. A reader that takes nothing for `stalledMs` is cut off,
 * and when the service stops the stream ends without `end`: clients connect again with `Last-Event-ID`.
 *
 * @param closed called once, when the stream ends or its reader goes away
 */
export function eventStream(
  services: Services,
  jobId: string,
  after: number,
  clientGone: AbortSignal,
  closed: () => void,
): ReadableStream<Bytes> {
  const { heartbeatMs, stalledMs } = services.limits;
  const gone = new AbortController();
  const signal = AbortSignal.any([clientGone, services.stopping, gone.signal]);
  const events = services.jobs.follow(jobId, after, signal);
  let waiting: Promise<IteratorResult<JobEvent, void>> | null = null;
  let stalled: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;
  const close = () => {
    clearTimeout(stalled);
    if (!isClosed) closed();
    isClosed = true;
  };
  // Otherwise a stream that nobody reads any more would follow the job on.
  signal.addEventListener("abort", () => void events.return().catch(() => {}), { once: true });
  clientGone.addEventListener("abort", close, { once: true });
  const give = (controller: ReadableStreamDefaultController<Bytes>, bytes: Bytes) => {
    controller.enqueue(bytes);
    stalled = setTimeout(() => {
      controller.error(new DOMException("The reader of an event stream takes nothing", "TimeoutError"));
      close();
      gone.abort();
    }, stalledMs);
  };

  return new ReadableStream({
    start(controller) {
      give(controller, RETRY);
    },
    async pull(controller) {
      clearTimeout(stalled);
      const result = await orSilence(waiting ??= events.next(), heartbeatMs).catch((error) => {
        close();
        throw error;
      });
      if (result === null) return give(controller, HEARTBEAT);
      waiting = null;
      if (!result.done) return give(controller, block(result.value));
      if (!signal.aborted) controller.enqueue(END);
      controller.close();
      return close();
    },
    async cancel() {
      gone.abort();
      close();
      await waiting?.catch(() => {});
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
