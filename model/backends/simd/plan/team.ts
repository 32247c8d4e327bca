/**
 * The workers of a planned step.
 *
 * @module
 */
import type { StartThread, Thread } from "../../../training/threads.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** Threads that run steps together. */
export class Team {
  readonly #workers: readonly Thread[];
  #failure: Error | null = null;
  #waiting: { resolve(): void; reject(error: Error): void } | null = null;
  #missing: number;

  /** Starts so many workers; `ready` tells when they can compute. */
  constructor(threads: number, startThread: StartThread) {
    this.#missing = threads;
    const module = new URL("./worker.ts", import.meta.url);
    this.#workers = Array.from({ length: threads }, () =>
      startThread(module, {
        message: (data) => this.#hear(data as FromWorker),
        failed: (message) => this.#hear({ type: "failed", message }),
      }));
  }

  /** Sends a worker something that it need not answer. */
  tell(index: number, message: ToWorker): void {
    this.#workers[index].postMessage(message);
  }

  /**
   * Sends every worker its message, and waits for the answer of all.
   *
   * @throws {WebAssembly.RuntimeError} when a worker has failed
   */
  async ask(messages: readonly ToWorker[]): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting = { resolve, reject };
    messages.forEach((message, index) => this.tell(index, message));
    await promise;
  }

  /** Ends the workers. */
  dispose(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #hear(message: FromWorker): void {
    if (message.type === "failed") {
      this.#failure ??= new WebAssembly.RuntimeError(`A thread of the step has failed: ${message.message}`);
      this.#waiting?.reject(this.#failure);
    } else if (message.type === "ended" || --this.#missing === 0) {
      this.#waiting?.resolve();
    }
  }
}
