/**
 * Turns the errors of a device into exceptions. WebGPU reports them in events only: it skips the work of an invalid
 * program, and the outputs read as zeros.
 *
 * @module
 */
import { BackendError } from "../backend.ts";
import type { WebgpuBackend } from "./backend.ts";

/** State of a guarded device. After its first error no number of the device is used. */
export class Guard {
  #fault: string | null = null;

  /** @param device its errors are recorded */
  constructor(device: GPUDevice) {
    device.addEventListener("uncapturederror", (event) => {
      const { error } = event as GPUUncapturedErrorEvent;
      this.fail(`${error.constructor.name}: ${error.message}`);
    });
    device.lost.then(({ message }) => this.fail(`the device was lost: ${message}`));
  }

  /** The first error of the device, or null. */
  get fault(): string | null {
    return this.#fault;
  }

  /** Records an error. */
  fail(reason: string): void {
    this.#fault ??= reason;
  }

  /** Records an error, if there is a new one, and returns the exception. */
  failure(reason = "unknown error"): BackendError {
    this.fail(reason);
    return new BackendError(`WebGPU failed, so its numbers cannot be used: ${this.#fault}`);
  }

  /** @throws {BackendError} after the first error */
  check(): void {
    if (this.#fault !== null) throw this.failure();
  }

  /** Runs work that reads from the device. @throws {BackendError} when it fails, and after the first error */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.check();
    try {
      const result = await work();
      this.check();
      return result;
    } catch (error) {
      throw this.failure(error instanceof Error ? error.message : String(error));
    }
  }
}

/**
 * Makes every operation and every read fail after the first error of the device, so that no wrong number is used.
 *
 * @param backend its `read` and `uploadToGPU` are replaced by versions that throw {@linkcode BackendError}
 */
export function guardBackend(backend: WebgpuBackend): Guard {
  const guard = new Guard(backend.device);
  const upload = backend.uploadToGPU.bind(backend);
  backend.uploadToGPU = (id) => {
    guard.check();
    upload(id);
  };
  const read = backend.read.bind(backend);
  backend.read = (id) => guard.run(() => read(id));
  return guard;
}
