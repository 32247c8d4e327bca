/**
 * Threads that compute beside the one that trains.
 *
 * @module
 */

/** A thread that runs a module of ours. */
export interface Thread {
  /** Sends it something. */
  postMessage(message: unknown): void;
  /** Ends it, whatever it is at. */
  terminate(): void;
}

/** Who hears a thread. */
export interface ThreadListener {
  /** What it sends. */
  message(data: unknown): void;
  /** It has ended by an error of its own. */
  failed(reason: string): void;
}

/** Starts a thread. @param module its URL; it hears messages by way of {@linkcode connectToParent} */
export type StartThread = (module: URL, listener: ThreadListener) => Thread;

/** What a thread hears first when its messages come on a port. */
export interface PortMessage {
  readonly type: "port";
  readonly port: MessagePort;
}

/** Starts a worker of this thread's own. */
export const startWorker: StartThread = (module, { message, failed }) => {
  const worker = new Worker(module, { type: "module" });
  worker.onmessage = ({ data }) => message(data);
  worker.onerror = (event) => {
    event.preventDefault();
    failed(event.message);
  };
  return worker;
};

/**
 * Hears whoever started this thread: its creator, or the one at the other end of the port that came first.
 *
 * @returns sends something back
 */
export function connectToParent<T>(hear: (message: T) => void): (message: unknown) => void {
  // deno-lint-ignore no-explicit-any -- the worker's global scope has no type of its own in Deno's window library
  let other = self as any;
  other.onmessage = ({ data }: MessageEvent<PortMessage | T>) => {
    if (data && typeof data === "object" && "type" in data && data.type === "port") {
      other = (data as PortMessage).port;
      other.onmessage = ({ data }: MessageEvent<T>) => hear(data);
    } else hear(data as T);
  };
  return (message) => other.postMessage(message);
}
