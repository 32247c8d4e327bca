/**
 * Turns the errors of a device into exceptions. WebGPU reports them in events only: it skips the work of an invalid
 * program, and the outputs read as zeros.
 *
 * @module
 */
import { BackendError } from "../backend.ts";
import type { WebgpuBackend } from "./backend.ts";

/** State of a guarded device. */
export interface Guard {
  /** The first error of the device, or null. */
  readonly fault: string | null;
}

/**
 * Makes every operation and every read fail after the first error of the device, so that no wrong number is used.
 *
 * @param backend its `read` and `uploadToGPU` are replaced by versions that throw {@linkcode BackendError}
 */
export function guard(backend: WebgpuBackend): Guard {
  const state: { fault: string | null } = { fault: null };
  const { device } = backend;
  device.addEventListener("uncapturederror", (event) => {
    const { error } = event as GPUUncapturedErrorEvent;
    state.fault ??= `${error.constructor.name}: ${error.message}`;
  });
  device.lost.then(({ message }) => state.fault ??= `the device was lost: ${message}`);
  const check = () => {
    if (state.fault) throw new BackendError(`WebGPU failed, so its numbers cannot be used: ${state.fault}`);
  };
  const upload = backend.uploadToGPU.bind(backend);
  backend.uploadToGPU = (id) => {
    check();
    upload(id);
  };
  const read = backend.read.bind(backend);
  backend.read = async (id) => {
    check();
    try {
      return await read(id);
    } catch (error) {
      state.fault ??= error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      check();
    }
  };
  return state;
}
