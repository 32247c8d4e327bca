/**
 * Our WebAssembly kernels, in the memory of TensorFlow.js's WebAssembly backend. The only backend that plans training
 * steps.
 *
 * - `simd/assembly/` has the kernels in AssemblyScript, `simd/codegen/` generates their unrolled loops, and
 *   `simd/binary.ts` is the compiled result.
 * - `simd/specs.ts` describes the kernel calls of each operation. `simd/installKernels.ts` registers the operations with
 *   TensorFlow.js.
 * - `simd/plan/` plans training steps; see `simd/plan/plannedStepper.ts`.
 *
 * @module
 */
import type { Backend, Planner } from "./backend.ts";
import { loadKernels, supportedVectorBits } from "./simd/instance.ts";
import { installKernels } from "./simd/installKernels.ts";
import { SIMD_OPS } from "./simd/ops.ts";
import { isInline, PlannedInlineStepper } from "./simd/plan/inlineStepper.ts";
import { PlannedStepper } from "./simd/plan/plannedStepper.ts";
import { PlannedPredictor } from "./simd/prediction/plannedPredictor.ts";
import { wasm } from "./wasm.ts";

/** WebAssembly SIMD kernels. */
export const simd: Backend = {
  async start(options) {
    await wasm.start(options);
    installKernels();
    const vectorBits = supportedVectorBits(options.vectorBits ?? 128);
    const module = loadKernels({ shared: true, vectorBits });
    const planner: Planner = {
      openStepper: (options) =>
        isInline(options)
          ? PlannedInlineStepper.open(options, module)
          : PlannedStepper.open(options, vectorBits),
      openPredictor: (options) => Promise.resolve(new PlannedPredictor(options, module)),
    };
    return { ops: SIMD_OPS, vectorBits, planner };
  },
};
