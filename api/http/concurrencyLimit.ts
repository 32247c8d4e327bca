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
    this.#count++;
    let isCounted = true;
    return {
      [Symbol.dispose]: () => {
        if (isCounted) this.#count--;
        isCounted = false;
      },
    };
  }
}
