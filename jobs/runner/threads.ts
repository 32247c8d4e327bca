/**
 * Threads of a run's worker. The worker requests them, and the runner's main thread starts them. Deno 2.9 delays workers
 * that other workers start by a second, because it mistakes its own inspector session for a waiting debugger.
 *
 * @module
 */
import type { PortMessage, StartThread } from "../../model/training/threads.ts";

/** Requests a thread. */
export interface ThreadRequest {
  readonly type: "thread";
  readonly id: number;
  /** URL of its module. */
  readonly module: string;
  /** The thread's end of the channel to the worker. */
  readonly port: MessagePort;
}

/** Ends a thread. */
export interface ThreadEnd {
  readonly type: "thread_end";
  readonly id: number;
}

/** Returns a function that starts threads by requests to the runner. @param send sends a message to the runner */
export function threadRequester(
  send: (message: ThreadRequest | ThreadEnd, transfer: Transferable[]) => void,
): StartThread {
  let lastId = 0;
  return (module, { message }) => {
    const { port1, port2 } = new MessageChannel(), id = ++lastId;
    port1.onmessage = ({ data }) => message(data);
    send({ type: "thread", id, module: module.href, port: port2 }, [port2]);
    return {
      postMessage: (message) => port1.postMessage(message),
      terminate() {
        port1.close();
        send({ type: "thread_end", id }, []);
      },
    };
  };
}

/** Starts and ends the threads that a run's worker requests. */
export class ThreadHost {
  readonly #workers = new Map<number, Worker>();
  readonly #failed: (reason: string) => void;
  #ended = false;

  /** @param failed called when a thread ends with an uncaught error */
  constructor(failed: (reason: string) => void) {
    this.#failed = failed;
  }

  /** Starts or ends a thread. */
  handle(message: ThreadRequest | ThreadEnd): void {
    if (message.type === "thread_end") {
      this.#workers.get(message.id)?.terminate();
      this.#workers.delete(message.id);
      return;
    }
    if (this.#ended) return;
    const worker = new Worker(message.module, { type: "module" });
    worker.onerror = (event) => {
      event.preventDefault();
      this.#failed(event.message);
    };
    const first: PortMessage = { type: "port", port: message.port };
    worker.postMessage(first, [message.port]);
    this.#workers.set(message.id, worker);
  }

  /** Ends all threads. Later requests are ignored. */
  end(): void {
    this.#ended = true;
    for (const worker of this.#workers.values()) worker.terminate();
    this.#workers.clear();
  }
}
