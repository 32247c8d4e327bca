/**
 * Yielding to the event loop during long work.
 *
 * @module
 */

/** Most milliseconds of work between two yields. */
const TURN_MS = 8;

/**
 * Yields to the event loop between the pieces of long work, at most once every few milliseconds, so that other requests
 * are served.
 */
export class Turns {
  #since = performance.now();

  /** Waits for one round of the event loop if enough time has passed since the last one. */
  async take(): Promise<void> {
    if (performance.now() - this.#since < TURN_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}
