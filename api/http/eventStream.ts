/**
 * Server-sent events.
 *
 * @module
 */

type Bytes = Uint8Array<ArrayBuffer>;

const encode = (text: string): Bytes => new TextEncoder().encode(text);
const RETRY = encode("retry: 2000\n\n"), END = encode("event: end\ndata: {}\n\n");
const HEARTBEAT = encode(": heartbeat\n\n");

/** Encodes one event of a stream. */
export function encodeEvent(id: number, type: string, data: unknown): Uint8Array<ArrayBuffer> {
  return encode(`id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** The source and the limits of an event stream. */
export interface EventStreamOptions<E> {
  /** Yields events until there are no more or the signal is aborted. */
  readonly follow: (signal: AbortSignal) => AsyncGenerator<E, void>;
  /** Encodes an event, for example with {@linkcode encodeEvent}. */
  readonly encode: (event: E) => Uint8Array<ArrayBuffer>;
  /** Time without an event after which a heartbeat is sent. */
  readonly heartbeatMs: number;
  /** Time without a read after which the stream fails. */
  readonly stalledMs: number;
  /** Aborted when the client disconnects. */
  readonly disconnected: AbortSignal;
  /** Aborted when the service stops. */
  readonly stopping: AbortSignal;
  /** Called once, when the stream ends or its client disconnects. */
  readonly onClose: () => void;
}

/**
 * Creates a stream of events. It emits a heartbeat comment after `heartbeatMs` without an event, and an `end` event when
 * the source has ended. It buffers one event. When the service stops, the stream closes without an `end` event, and
 * clients reconnect with `Last-Event-ID`.
 */
export function eventStream<E>(options: EventStreamOptions<E>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { heartbeatMs, stalledMs, disconnected, stopping } = options;
  const cancelled = new AbortController();
  const signal = AbortSignal.any([disconnected, stopping, cancelled.signal]);
  const events = options.follow(signal);
  let pending: Promise<IteratorResult<E, void>> | null = null;
  let stalled: ReturnType<typeof setTimeout> | undefined;
  let isClosed = false;
  const close = () => {
    clearTimeout(stalled);
    if (!isClosed) options.onClose();
    isClosed = true;
  };
  // Stops the source even if nothing reads the stream any more.
  signal.addEventListener("abort", () => void events.return().catch(() => {}), { once: true });
  disconnected.addEventListener("abort", close, { once: true });
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
      const result = await nullAfter(heartbeatMs, pending ??= events.next()).catch((error) => {
        close();
        throw error;
      });
      if (result === null) return emit(controller, HEARTBEAT);
      pending = null;
      if (!result.done) return emit(controller, options.encode(result.value));
      if (!signal.aborted) controller.enqueue(END);
      controller.close();
      return close();
    },
    async cancel() {
      cancelled.abort();
      close();
      await pending?.catch(() => {});
    },
  }, { highWaterMark: 0 });
}

/** Returns the value of a promise, or null when it is not settled after `milliseconds`. */
async function nullAfter<T>(milliseconds: number, promise: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), milliseconds));
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
