/**
 * The threads that all predictors of a process share, and their passes.
 *
 * @module
 */
import { startWorker, type Thread } from "../../../training/threads.ts";
import { BackendError } from "../../backend.ts";
import { newControl } from "../plan/barrier.ts";
import type { FromThread, RunMessage, ToThread } from "./messages.ts";

/** Threads that run forward passes, one pass at a time. */
export class ThreadPool {
  /** The pools that have users, by their number of threads. */
  static readonly #open = new Map<number, ThreadPool>();
  readonly #threads: readonly Thread[];
  readonly #ready = Promise.withResolvers<void>();
  #users = 0;
  #notReady: number;
  #lastModel = 0;
  #failure: Error | null = null;
  #running: PromiseWithResolvers<void> | null = null;
  /** Resolves when the last requested pass has ended. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(readonly size: number) {
    this.#notReady = size;
    this.#ready.promise.catch(() => {});
    const module = new URL("./thread.ts", import.meta.url);
    this.#threads = Array.from({ length: size }, () =>
      startWorker(module, {
        message: (data) => this.#handle(data as FromThread),
        failed: (message) => this.#handle({ type: "failed", message }),
      }));
    const control = newControl();
    this.#threads.forEach((_, thread) =>
      this.post(thread, { type: "start", thread, threads: size, control })
    );
  }

  /** Returns the pool of this size, and starts its threads if it has no user yet. Every user calls `release`. */
  static acquire(size: number): ThreadPool {
    const pool = ThreadPool.#open.get(size) ?? new ThreadPool(size);
    ThreadPool.#open.set(size, pool);
    pool.#users++;
    return pool;
  }

  /** Ends the threads when the last user has released the pool. */
  release(): void {
    if (--this.#users > 0) return;
    this.#forget();
    for (const thread of this.#threads) thread.terminate();
  }

  /** Returns a number for a new model. */
  newModel(): number {
    return ++this.#lastModel;
  }

  /** Posts a message to a thread, which does not reply. */
  post(thread: number, message: ToThread): void {
    this.#threads[thread].postMessage(message);
  }

  /** Posts a message to all threads, which do not reply. */
  postAll(message: ToThread): void {
    this.#threads.forEach((_, thread) => this.post(thread, message));
  }

  /**
   * Runs a pass after those that were requested before.
   *
   * @param messages one for each thread
   * @throws {BackendError} when a thread has failed; the memory of the models is then undefined
   */
  run(messages: readonly RunMessage[]): Promise<void> {
    const pass = this.#queue.then(async () => {
      await this.#ready.promise;
      if (this.#failure) throw this.#failure;
      this.#running = Promise.withResolvers();
      messages.forEach((message, thread) => this.post(thread, message));
      await this.#running.promise;
    });
    this.#queue = pass.catch(() => {});
    return pass;
  }

  #handle(message: FromThread): void {
    if (message.type === "failed") {
      this.#failure ??= new BackendError(`A thread of a prediction failed: ${message.message}`);
      // The next user gets new threads.
      this.#forget();
      this.#ready.reject(this.#failure);
      this.#running?.reject(this.#failure);
    } else if (message.type === "done") this.#running?.resolve();
    else if (--this.#notReady === 0) this.#ready.resolve();
  }

  /** Removes the pool from the list, so that it gets no more users. */
  #forget(): void {
    if (ThreadPool.#open.get(this.size) === this) ThreadPool.#open.delete(this.size);
  }
}
