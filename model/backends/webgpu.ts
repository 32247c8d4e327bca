/**
 * WebGPU: any vendor's GPU, through Deno itself.
 *
 * @module
 */
import { type Backend, BackendError } from "./backend.ts";

/** Any vendor's GPU. */
export const webgpu: Backend = {
  start() {
    throw new BackendError("there is no WebGPU adapter");
  },
};
