/**
 * The throughput of a run.
 *
 * @module
 */

/** Length of the window over which the throughput is averaged, in milliseconds. */
const WINDOW_MS = 10_000;

/** Moving average of the throughput over the last ten seconds. Times are milliseconds of a monotonic clock. */
export class Pace {
  readonly #points: { readonly time: number; readonly steps: number; readonly images: number }[] = [];
  #steps = 0;
  #images = 0;

  /** @param startTime when the first step began */
  constructor(startTime: number) {
    this.#points.push({ time: startTime, steps: 0, images: 0 });
  }

  /** Adds steps. @param time when the last of them ended @param images number of images in them */
  add(time: number, steps: number, images: number): void {
    this.#steps += steps;
    this.#images += images;
    this.#points.push({ time, steps: this.#steps, images: this.#images });
    // One point before the window is kept, so that steps longer than the window have a pace too.
    while (this.#points.length > 2 && this.#points[1].time < time - WINDOW_MS) this.#points.shift();
  }

  /** Returns the current pace; null before the first step. */
  current(): { readonly imagesPerSecond: number; readonly secondsPerStep: number } | null {
    const first = this.#points[0], last = this.#points.at(-1)!;
    const seconds = (last.time - first.time) / 1000;
    if (this.#points.length < 2 || seconds <= 0) return null;
    return {
      imagesPerSecond: (last.images - first.images) / seconds,
      secondsPerStep: seconds / (last.steps - first.steps),
    };
  }
}
