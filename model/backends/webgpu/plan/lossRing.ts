/**
 * The losses of the last steps, which the host reads while later steps run. A read takes about ten milliseconds, in
 * which a GPU computes several small steps.
 *
 * @module
 */
import type { Guard } from "../guard.ts";

/** A float32 represents every whole number below this one. */
const MARKS = 2 ** 24;

/** Maximum number of reads at a time: the losses of some steps are read while later steps are computed. */
const MAX_READS = 2;

interface Pending {
  readonly step: number;
  resolve(loss: number): void;
  reject(error: unknown): void;
}

/** A ring buffer of losses on a device. A step writes its loss and its mark. */
export class LossRing {
  /** Two floats for each slot. */
  readonly buffer: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #guard: Guard;
  readonly #slots: number;
  /** The steps whose loss is not read yet, in their order. */
  readonly #pending: Pending[] = [];
  /** Number of those that a running read includes. */
  #covered = 0;
  readonly #idle: GPUBuffer[] = [];
  #reads = 0;
  #lastRead: Promise<void> = Promise.resolve();
  #disposed = false;

  /** @param slots maximum number of steps whose loss is not read */
  constructor(device: GPUDevice, guard: Guard, slots: number) {
    this.#device = device;
    this.#guard = guard;
    this.#slots = slots;
    const size = 8 * slots, { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    this.buffer = device.createBuffer({ label: "losses", size, usage: STORAGE | COPY_SRC });
    for (let i = 0; i < MAX_READS; i++) {
      this.#idle.push(device.createBuffer({ label: "losses on the host", size, usage: MAP_READ | COPY_DST }));
    }
  }

  /** Returns the slot of a step. */
  slotOf(step: number): number {
    return step % this.#slots;
  }

  /** Returns what a step writes next to its loss, so that a loss that it did not write is recognised. */
  markOf(step: number): number {
    return step % MARKS;
  }

  /** Returns the loss of a step that was submitted. It arrives in the order of the steps. */
  next(step: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#pending.push({ step, resolve, reject });
    this.#readIfDue();
    return promise;
  }

  /** Frees the memory. Losses that were not read are rejected. */
  dispose(): void {
    this.#disposed = true;
    this.#rejectAll(new Error("The training has ended"));
    this.buffer.destroy();
    for (const staging of this.#idle) staging.destroy();
  }

  /** Starts a read if none runs, or if another one is due. */
  #readIfDue(): void {
    const uncovered = this.#pending.length - this.#covered;
    const isDue = this.#reads === 0 ? uncovered > 0 : uncovered >= this.#slots / 2;
    if (!isDue || this.#reads === MAX_READS) return;
    const staging = this.#idle.pop()!, encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.buffer, 0, staging, 0, staging.size);
    this.#device.queue.submit([encoder.finish()]);
    this.#reads++;
    this.#covered += uncovered;
    this.#lastRead = this.#finish(staging, uncovered, this.#lastRead);
  }

  /** Resolves the losses of the first `count` pending steps. */
  async #finish(staging: GPUBuffer, count: number, previous: Promise<void>): Promise<void> {
    try {
      await Promise.all([staging.mapAsync(GPUMapMode.READ), previous]);
      if (this.#disposed) return;
      this.#guard.check();
      const values = new Float32Array(staging.getMappedRange().slice(0));
      staging.unmap();
      for (const { step, resolve, reject } of this.#pending.splice(0, count)) {
        const slot = 2 * this.slotOf(step);
        if (values[slot + 1] === this.markOf(step)) resolve(values[slot]);
        else reject(this.#guard.failure(`step ${step} was not computed`));
      }
    } catch (error) {
      if (!this.#disposed) this.#rejectAll(this.#guard.failure((error as Error).message));
    } finally {
      this.#reads--;
      if (this.#disposed) staging.destroy();
      else {
        this.#covered = Math.max(0, this.#covered - count);
        this.#idle.push(staging);
        this.#readIfDue();
      }
    }
  }

  #rejectAll(error: unknown): void {
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }
}
