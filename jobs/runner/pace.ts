/**
 * How fast a run is, over its last seconds.
 *
 * @module
 */

/** Milliseconds looked back on. */
const WINDOW_MS = 10_000;

/** Counts steps and images as they come. */
export class Pace {
  readonly #points: { readonly at: number; readonly images: number }[] = [];
  #images = 0;

  /** @param at milliseconds of any steady clock at which the first step began */
  constructor(at: number) {
    this.#points.push({ at, images: 0 });
  }

  /** A step ended. @param at milliseconds of the same clock @param images images in the step */
  step(at: number, images: number): void {
    this.#images += images;
    this.#points.push({ at, images: this.#images });
    // One point before the window stays, so that steps longer than the window have a pace too.
    while (this.#points.length > 2 && this.#points[1].at < at - WINDOW_MS) this.#points.shift();
  }

  /** Images a second and seconds a step; null before the first step. */
  now(): { readonly imagesPerSecond: number; readonly secondsPerStep: number } | null {
    const first = this.#points[0], last = this.#points.at(-1)!;
    const seconds = (last.at - first.at) / 1000;
    if (this.#points.length < 2 || seconds <= 0) return null;
    return {
      imagesPerSecond: (last.images - first.images) / seconds,
      secondsPerStep: seconds / (this.#points.length - 1),
    };
  }
}
