/**
 * A job's events in the form of server-sent events.
 *
 * @module
 */
import type { JobEvent } from "../../jobs/store/events/event.ts";
import type { Services } from "./context.ts";
import { eventWire } from "../schemas/event.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const encode = (text: string): Bytes => new TextEncoder().encode(text);
const RETRY = encode("retry: 2000\n\n"), END = encode("event: end\ndata: {}\n\n");
const HEARTBEAT = encode(": heartbeat\n\n");

/** All streams of a job emit the same event objects, so each event is encoded once. */
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
 * Streams a job's events after the offset `after`. It emits a heartbeat comment after `heartbeatMs` without an event,
 * and an `end` event when the job has finished. It buffers one event at a time. The stream fails when its reader reads
 * nothing for `stalledMs`. When the service stops, the stream closes without an `end` event, and clients reconnect with
 * `Last-Event-ID`.
 *
 * @param closed called once, when the stream ends or its client disconnects
 */
export function eventStream(
  services: Services,
  jobId: string,
  after: number,
  clientGone: AbortSignal,
  closed: () => void,
): ReadableStream<Bytes> {
  const { heartbeatMs, stalledMs } = services.limits;
  const cancelled = new AbortController();
  const signal = AbortSignal.any([clientGone, services.stopping, cancelled.signal]);
  const events = services.jobs.follow(jobId, after, signal);
  let waiting: Promise<IteratorResult<JobEvent, void>> | null = null;
  let stalled: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;
  const close = () => {
    clearTimeout(stalled);
    if (!isClosed) closed();
    isClosed = true;
  };
  // Stops following the job even if nothing pulls from the stream any more.
  signal.addEventListener("abort", () => void events.return().catch(() => {}), { once: true });
  clientGone.addEventListener("abort", close, { once: true });
  const emit = (controller: ReadableStreamDefaultController<Bytes>, bytes: Bytes) => {
    controller.enqueue(bytes);
    stalled = setTimeout(() => {
      controller.error(new DOMException("The client does not read its event stream", "TimeoutError"));
      close();
      cancelled.abort();
    }, stalledMs);
  };

  return new ReadableStream({
    start(controller) {
      emit(controller, RETRY);
    },
    async pull(controller) {
      clearTimeout(stalled);
      const result = await orSilence(waiting ??= events.next(), heartbeatMs).catch((error) => {
        close();
        throw error;
      });
      if (result === null) return emit(controller, HEARTBEAT);
      waiting = null;
      if (!result.done) return emit(controller, block(result.value));
      if (!signal.aborted) controller.enqueue(END);
      controller.close();
      return close();
    },
    async cancel() {
      cancelled.abort();
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
