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

/** Starts a worker of the current thread. @param module URL of its module, which calls {@linkcode connectToParent} */
export function startWorker(module: URL, { message, failed }: ThreadListener): Thread {
  const worker = new Worker(module, { type: "module" });
  worker.onmessage = ({ data }) => message(data);
  worker.onerror = (event) => {
    event.preventDefault();
    failed(event.message);
  };
  return worker;
}

/**
 * Connects the current thread to the thread that started it.
 *
 * @param receive called with each message from the parent
 * @returns a function that sends a message to the parent
 */
export function connectToParent<T>(receive: (message: T) => void): (message: unknown) => void {
  // deno-lint-ignore no-explicit-any -- Deno's window library has no type for a worker's global scope
  const scope = self as any;
  scope.onmessage = ({ data }: MessageEvent<T>) => receive(data);
  return (message) => scope.postMessage(message);
}
