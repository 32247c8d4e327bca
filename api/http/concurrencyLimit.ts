/**
 * Limits how many requests of a kind are served at the same time.
 *
 * @module
 */
import { ProblemError } from "./problem.ts";

/** Seconds after which a client may retry. */
const RETRY_SECONDS = "10";

/** Counts the requests of a kind that are being served. */
export class ConcurrencyLimit {
  readonly #max: number;
  readonly #noun: string;
  #count = 0;
  readonly #waiting = new Set<() => void>();

  /** @param noun of several requests, for the message */
  constructor(max: number, noun: string) {
    this.#max = max;
    this.#noun = noun;
  }

  /** Counts a request until the result is disposed. @throws {ProblemError} 503 when too many are being served */
  start(): Disposable {
    if (this.#count >= this.#max) {
      throw new ProblemError(
        503,
        `Too many ${this.#noun} are already running (${this.#count}): try again later`,
        {
          headers: { "retry-after": RETRY_SECONDS },
        },
      );
    }
    return this.#counted();
  }

  /** Waits while too many requests are being served, then counts one. @throws the reason of an aborted signal */
  async wait(signal: AbortSignal): Promise<Disposable> {
    while (this.#count >= this.#max && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    signal.throwIfAborted();
    return this.#counted();
  }

  #counted(): Disposable {
    this.#count++;
    let isCounted = true;
    return {
      [Symbol.dispose]: () => {
        if (!isCounted) return;
        isCounted = false;
        this.#count--;
        // All check the number again, in the order in which they began to wait.
        for (const resume of this.#waiting) resume();
        this.#waiting.clear();
      },
    };
  }
}
