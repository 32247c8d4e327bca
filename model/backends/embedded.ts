/**
 * The embedded backends: TensorFlow.js in WebAssembly, with or without our kernels, and in plain JavaScript.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { type Backend, BackendError, type StartedBackend } from "./backend.ts";
import { installKernels } from "./simd/installKernels.ts";
import { SIMD_OPS } from "./simd/ops.ts";
import { PlannedStepper } from "./simd/plan/stepper.ts";

async function startTensorflowJs(name: "wasm" | "cpu"): Promise<StartedBackend> {
  if (!await tf.setBackend(name)) throw new BackendError("it did not start");
  await tf.ready();
  return { ops: {} };
}

/** Our kernels, in the memory of TensorFlow.js's WebAssembly backend. The only backend that plans training steps. */
export const simd: Backend = {
  async start() {
    await startTensorflowJs("wasm");
    installKernels();
    return { ops: SIMD_OPS, planner: (options) => PlannedStepper.open(options) };
  },
};

/** TensorFlow.js in WebAssembly. */
export const wasm: Backend = { start: () => startTensorflowJs("wasm") };

/** TensorFlow.js in JavaScript, slow but available everywhere. */
export const cpu: Backend = { start: () => startTensorflowJs("cpu") };
