/**
 * Errors of a device, which WebGPU tells beside the results: work with an invalid program is dropped whole, and what it
 * should have written reads as zeros.
 *
 * @module
 */
import { BackendError } from "../backend.ts";
import type { WebgpuBackend } from "./backend.ts";

/** What went wrong on a device so far. */
export interface Guard {
  /** The first error, or null. */
  readonly fault: string | null;
}

/**
 * Makes every operation and every read fail from a device's first error on, so that no number computed after it is
 * believed.
 *
 * @param backend its `read` and `uploadToGPU` are replaced: they throw {@linkcode BackendError} after an error
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
