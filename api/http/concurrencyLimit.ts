/**
 * The downloads that run at the same time.
 *
 * @module
 */
import { ProblemError } from "../http/problem.ts";

/** Seconds after which a client may retry when too many downloads run. */
const RETRY_SECONDS = "30";

/** Limits the number of downloads: a short request can cause hours of traffic, and fill a disk. */
export class Downloads {
  readonly #max: number;
  #running = 0;

  /** @param max number of downloads that may run at the same time */
  constructor(max: number) {
    this.#max = max;
  }

  /** Counts a download until the result is disposed. @throws {ProblemError} 503 when too many run */
  start(): Disposable {
    if (this.#running >= this.#max) {
      throw new ProblemError(503, `${this.#running} imports by URL are already running: try again later`, {
        headers: { "retry-after": RETRY_SECONDS },
      });
    }
    this.#running++;
    return { [Symbol.dispose]: () => this.#running-- };
  }
}
