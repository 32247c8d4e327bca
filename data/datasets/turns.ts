/**
 * Turns for other work on the event loop.
 *
 * @module
 */

/** Most milliseconds of work between two turns. */
const TURN_MS = 8;

/**
 * Work that is done in pieces. Between two pieces, other requests get their turn whenever a few milliseconds have
 * passed since they last did.
 */
export class Turns {
  #since = performance.now();

  /** Waits for one round of the event loop if it is due. */
  async take(): Promise<void> {
    if (performance.now() - this.#since < TURN_MS) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}
