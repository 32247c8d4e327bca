/**
 * Our WebAssembly kernels, in the memory of TensorFlow.js's WebAssembly backend. The only backend that plans training
 * steps.
 *
 * @module
 */
import type { Backend } from "./backend.ts";
import { installKernels } from "./simd/installKernels.ts";
import { SIMD_OPS } from "./simd/ops.ts";
import { PlannedStepper } from "./simd/plan/plannedStepper.ts";
import { wasm } from "./wasm.ts";

/** WebAssembly SIMD kernels. */
export const simd: Backend = {
  async start(options) {
    await wasm.start(options);
    installKernels();
    return { ops: SIMD_OPS, planner: (options) => PlannedStepper.open(options) };
  },
};
