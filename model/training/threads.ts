/**
 * Threads that compute for the training thread.
 *
 * @module
 */

/** A running thread. */
export interface Thread {
  /** Sends a message to the thread. */
  postMessage(message: unknown): void;
  /** Ends the thread immediately. */
  terminate(): void;
}

/** Receives the events of a thread. */
export interface ThreadListener {
  /** Called with each message from the thread. */
  message(data: unknown): void;
  /** Called when the thread has ended by an uncaught error. */
  failed(reason: string): void;
}

/** Starts a thread. @param module URL of its module, which calls {@linkcode connectToParent} */
export type StartThread = (module: URL, listener: ThreadListener) => Thread;

/** The first message to a thread whose parent is at the other end of a port, not its creator. */
export interface PortMessage {
  readonly type: "port";
  readonly port: MessagePort;
}

/** Starts a worker of the current thread. */
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
 * Connects the current thread to its parent: its creator, or the owner of the port in a {@linkcode PortMessage}.
 *
 * @param receive called with each message from the parent
 * @returns a function that sends a message to the parent
 */
export function connectToParent<T>(receive: (message: T) => void): (message: unknown) => void {
  // deno-lint-ignore no-explicit-any -- Deno's window library has no type for a worker's global scope
  let parent = self as any;
  parent.onmessage = ({ data }: MessageEvent<PortMessage | T>) => {
    if (data && typeof data === "object" && "type" in data && data.type === "port") {
      parent = (data as PortMessage).port;
      parent.onmessage = ({ data }: MessageEvent<T>) => receive(data);
    } else receive(data as T);
  };
  return (message) => parent.postMessage(message);
}
