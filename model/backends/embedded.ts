/**
 * The backends that come with the packages: TensorFlow.js in WebAssembly, with our kernels or without, and in plain
 * JavaScript.
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

async function use(name: "wasm" | "cpu"): Promise<StartedBackend> {
  if (!await tf.setBackend(name)) throw new BackendError("it did not start");
  await tf.ready();
  return { ops: {} };
}

/** Our kernels, in the memory of TensorFlow.js's WebAssembly backend. */
export const simd: Backend = {
  async start() {
    await use("wasm");
    installKernels();
    return { ops: SIMD_OPS, planner: (options) => PlannedStepper.open(options) };
  },
};

/** TensorFlow.js in WebAssembly. */
export const wasm: Backend = { start: () => use("wasm") };

/** TensorFlow.js in JavaScript: slow, and works everywhere. */
export const cpu: Backend = { start: () => use("cpu") };
