/**
 * Limits the number of pixels that are decoded at the same time.
 *
 * @module
 */

interface Waiting {
  readonly pixels: number;
  start(): void;
}

/** Runs work on images concurrently while their total number of pixels is within a budget. Other work is queued. */
export class PixelBudget {
  #free: number;
  readonly #waiting: Waiting[] = [];

  /** @param total pixels; an image that has more runs alone */
  constructor(readonly total: number) {
    this.#free = total;
  }

  /** Runs `work` once `pixels` pixels are free in the budget. Requests are served in order. */
  async run<T>(pixels: number, work: () => Promise<T>): Promise<T> {
    const taken = Math.min(pixels, this.total);
    if (this.#waiting.length > 0 || taken > this.#free) {
      await new Promise<void>((resolve) => this.#waiting.push({ pixels: taken, start: resolve }));
    } else {
      this.#free -= taken;
    }
    try {
      return await work();
    } finally {
      this.#free += taken;
      while (this.#waiting.length > 0 && this.#waiting[0].pixels <= this.#free) {
        const next = this.#waiting.shift()!;
        this.#free -= next.pixels;
        next.start();
      }
    }
  }
}
