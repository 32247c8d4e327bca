/**
 * Controls the worker of a run.
 *
 * @module
 */
import { InterruptiblePause } from "./interruptiblePause.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { ThreadHost } from "./threads.ts";

/** Time after a stop message after which a worker is terminated, in milliseconds. */
const STOP_MS = 1_000;

/** A message about the run. Requests for threads are handled when they arrive. */
export type RunMessage = Exclude<FromWorker, { type: "thread" | "thread_end" }>;

/** Starts the worker of a run with its threads, and buffers its messages in order. */
export class RunWorker {
  readonly #threads = new ThreadHost((message) => this.#crashed(message));
  readonly #messages: RunMessage[] = [];
  readonly #idle = new InterruptiblePause();
  #worker: Worker | null = null;
  #stopTimer: ReturnType<typeof setTimeout> | undefined;

  /** Starts the worker. @param url its module */
  start(url: URL, name: string): void {
    const worker = new Worker(url, { type: "module", name });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#crashed(event.message);
    };
    this.#worker = worker;
  }

  /** Sends a message to the worker, if it is started. */
  send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** Removes and returns the oldest buffered message. Undefined when there is none. */
  nextMessage(): RunMessage | undefined {
    return this.#messages.shift();
  }

  /** Waits until a message is buffered, {@linkcode wake} is called, or `ms` milliseconds have passed. */
  async waitForMessage(ms: number): Promise<void> {
    if (this.#messages.length === 0) await this.#idle.wait(ms);
  }

  /** Ends the wait for a message. */
  wake(): void {
    this.#idle.interrupt();
  }

  /** Sends a stop message, and terminates the worker if it does not end in time. */
  stop(): void {
    this.send({ type: "stop" });
    this.#stopTimer = setTimeout(() => {
      this.terminate();
      this.#receive({ type: "failed", code: null, message: "The run did not stop in time", stack: "" });
    }, STOP_MS);
  }

  /** Ends the worker and its threads immediately. */
  terminate(): void {
    clearTimeout(this.#stopTimer);
    this.#worker?.terminate();
    this.#threads.end();
  }

  #receive(message: FromWorker): void {
    if (message.type === "thread" || message.type === "thread_end") return this.#threads.handle(message);
    this.#messages.push(message);
    this.wake();
  }

  #crashed(message: string): void {
    this.#receive({ type: "failed", code: "worker_crashed", message, stack: message });
  }
}
