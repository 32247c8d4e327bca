/**
 * Threads for the worker of a run, started by the runner's own thread: a worker that a worker starts is held back for
 * a second by Deno 2.9, which takes its own inspector's session for a debugger that may want to attach.
 *
 * @module
 */
import type { PortMessage, StartThread } from "../../model/training/threads.ts";

/** Asks for a thread. */
export interface ThreadRequest {
  readonly type: "thread";
  readonly id: number;
  /** URL of its module. */
  readonly module: string;
  /** The thread's end of the channel to whoever asks. */
  readonly port: MessagePort;
}

/** A thread is no longer needed. */
export interface ThreadEnd {
  readonly type: "thread_end";
  readonly id: number;
}

/** Starts threads by asking for them. @param tell sends a message, with what is handed over in it */
export function threadsByAsking(
  tell: (message: ThreadRequest | ThreadEnd, transfer: Transferable[]) => void,
): StartThread {
  let last = 0;
  return (module, { message }) => {
    const { port1, port2 } = new MessageChannel(), id = ++last;
    port1.onmessage = ({ data }) => message(data);
    tell({ type: "thread", id, module: module.href, port: port2 }, [port2]);
    return {
      postMessage: (message) => port1.postMessage(message),
      terminate() {
        port1.close();
        tell({ type: "thread_end", id }, []);
      },
    };
  };
}

/** The threads that a run has asked for. */
export class ThreadHost {
  readonly #workers = new Map<number, Worker>();
  readonly #failed: (reason: string) => void;
  #ended = false;

  /** @param failed hears of a thread that ended by an error of its own */
  constructor(failed: (reason: string) => void) {
    this.#failed = failed;
  }

  /** Starts a thread, or ends one. */
  take(message: ThreadRequest | ThreadEnd): void {
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

  /** Ends all of them; none is started any more. */
  end(): void {
    this.#ended = true;
    for (const worker of this.#workers.values()) worker.terminate();
    this.#workers.clear();
  }
}
