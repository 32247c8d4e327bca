/**
 * The pause after repeated crashes.
 *
 * @module
 */

/** Pause after two crashes in a row, and its maximum, in milliseconds. */
const PAUSE_MS = 500, MAX_PAUSE_MS = 30_000;

/** Crashes in a row, and the pause after the last one: none after the first, and twice as long after each later one. */
export class Backoff {
  #crashes = 0;
  #end = 0;

  /** Rest of the pause, in milliseconds; 0 when it has passed. */
  get waitMs(): number {
    return Math.max(0, this.#end - performance.now());
  }

  /** Counts a crash, and begins its pause. */
  add(): void {
    this.#crashes++;
    const pauseMs = this.#crashes < 2 ? 0 : PAUSE_MS * 2 ** (this.#crashes - 2);
    this.#end = performance.now() + Math.min(MAX_PAUSE_MS, pauseMs);
  }

  /** Ends the row of crashes. */
  reset(): void {
    this.#crashes = 0;
    this.#end = 0;
  }
}
