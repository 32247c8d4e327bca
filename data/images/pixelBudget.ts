/**
 * Limits the number of pixels that are decoded in parallel.
 *
 * @module
 */

interface QueuedWork {
  readonly pixels: number;
  start(): void;
}

/**
 * A weighted semaphore: it runs work on images in parallel while their total number of pixels is within a budget, and
 * queues the rest in order.
 */
export class PixelBudget {
  #available: number;
  readonly #queue: QueuedWork[] = [];

  /** @param total number of pixels; a larger image runs alone */
  constructor(readonly total: number) {
    this.#available = total;
  }

  /** Runs `work` once `pixels` pixels of the budget are available. */
  async run<T>(pixels: number, work: () => Promise<T>): Promise<T> {
    const cost = Math.min(pixels, this.total);
    if (this.#queue.length > 0 || cost > this.#available) {
      await new Promise<void>((resolve) => this.#queue.push({ pixels: cost, start: resolve }));
    } else {
      this.#available -= cost;
    }
    try {
      return await work();
    } finally {
      this.#available += cost;
      while (this.#queue.length > 0 && this.#queue[0].pixels <= this.#available) {
        const next = this.#queue.shift()!;
        this.#available -= next.pixels;
        next.start();
      }
    }
  }
}
