/**
 * A pause that ends early when something has happened.
 *
 * @module
 */
import { pause } from "../../data/backoff.ts";

/** A pause that another part of the process can end early. */
export class InterruptiblePause {
  #interrupted = new AbortController();

  /** Ends the current pause, or the next one if there is none at present. */
  interrupt(): void {
    this.#interrupted.abort();
  }

  /** Waits for `ms` milliseconds or until {@linkcode interrupt} is called. */
  async wait(ms: number): Promise<void> {
    await pause(ms, this.#interrupted.signal);
    this.#interrupted = new AbortController();
  }
}
