/**
 * The workers of a planned training.
 *
 * @module
 */
import { startWorker, type Thread } from "../../../training/threads.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

/** Workers that run steps together. */
export class WorkerPool {
  readonly #workers: readonly Thread[];
  #failure: Error | null = null;
  #pending: { resolve(): void; reject(error: Error): void } | null = null;
  #notReady: number;

  /** Starts the workers. */
  constructor(threads: number) {
    this.#notReady = threads;
    const module = new URL("./worker.ts", import.meta.url);
    this.#workers = Array.from({ length: threads }, () =>
      startWorker(module, {
        message: (data) => this.#handle(data as FromWorker),
        failed: (message) => this.#handle({ type: "failed", message }),
      }));
  }

  /** Posts a message to a worker. The worker does not reply. */
  post(index: number, message: ToWorker): void {
    this.#workers[index].postMessage(message);
  }

  /**
   * Posts a message to each worker, and waits until all have completed it.
   *
   * @throws {Error} when a worker has failed
   */
  async broadcast(messages: readonly ToWorker[]): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#pending = { resolve, reject };
    messages.forEach((message, index) => this.post(index, message));
    await promise;
  }

  /** Terminates the workers. */
  dispose(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #handle(message: FromWorker): void {
    if (message.type === "failed") {
      this.#failure ??= new Error(`A worker of the training step failed: ${message.message}`);
      this.#pending?.reject(this.#failure);
    } else if (message.type === "done" || --this.#notReady === 0) {
      this.#pending?.resolve();
    }
  }
}
