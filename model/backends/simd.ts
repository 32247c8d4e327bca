/**
 * Our WebAssembly kernels. Trainings, predictions and functions of tensors are planned: TensorFlow.js records the
 * operations of the model, and does not compute them.
 *
 * - `simd/assembly/` has the kernels in AssemblyScript, `simd/codegen/` generates their unrolled loops, and
 *   `simd/binary.ts` is the compiled result: builds for vectors of 128 and of 256 bits (`simd/vectorFlags.ts`).
 * - `simd/specs.ts` describes the kernel calls of each operation.
 * - `simd/plan/` plans training steps; see `simd/plan/plannedStepper.ts`.
 * - `simd/prediction/` plans forward passes; see `simd/prediction/plannedPredictor.ts`.
 *
 * @module
 */
import { PlanError } from "../planError.ts";
import type { Stepper } from "../training/stepper.ts";
import { type Backend, BackendError, type Planner } from "./backend.ts";
import { loadKernels, supportedVectorBits } from "./simd/instance.ts";
import { SIMD_OPS } from "./simd/ops.ts";
import { evaluatePlanned } from "./simd/plan/evaluate.ts";
import { isInline, PlannedInlineStepper } from "./simd/plan/inlineStepper.ts";
import { PlannedStepper } from "./simd/plan/plannedStepper.ts";
import { startRecorder } from "./simd/plan/recorder.ts";
import { PlannedPredictor } from "./simd/prediction/plannedPredictor.ts";

/** Runs code that plans. The recorder cannot compute what no plan supports. @throws {BackendError} */
async function planned<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    throw new BackendError(`simd cannot compute this model: ${error.message}`);
  }
}

/** WebAssembly SIMD kernels. */
export const simd: Backend = {
  start(options) {
    startRecorder();
    const vectorBits = supportedVectorBits(options.vectorBits ?? 128);
    const module = loadKernels({ vectorBits });
    const planner: Planner = {
      openStepper: (options) =>
        planned<Stepper>(() =>
          isInline(options)
            ? PlannedInlineStepper.open(options, module)
            : PlannedStepper.open(options, vectorBits)
        ),
      openPredictor: (options) => planned(() => new PlannedPredictor(options, module)),
      evaluate: (inputs, compute) => evaluatePlanned(module, inputs, compute),
    };
    return Promise.resolve({ ops: SIMD_OPS, vectorBits, planner });
  },
};
