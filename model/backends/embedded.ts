/**
 * The backends that come with the packages: TensorFlow.js in WebAssembly, with our kernels or without, and in plain
 * JavaScript.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import type { NativeOps } from "../ops/native.ts";
import { type Backend, BackendError } from "./backend.ts";
import { installKernels } from "./simd/kernels.ts";
import { SIMD_OPS } from "./simd/ops.ts";

async function use(name: "wasm" | "cpu"): Promise<NativeOps> {
  if (!await tf.setBackend(name)) throw new BackendError("it did not start");
  await tf.ready();
  return {};
}

/** Our kernels, in the memory of TensorFlow.js's WebAssembly backend. */
export const simd: Backend = {
  async start() {
    await use("wasm");
    installKernels();
    return SIMD_OPS;
  },
};

/** TensorFlow.js in WebAssembly. */
export const wasm: Backend = { start: () => use("wasm") };

/** TensorFlow.js in JavaScript: slow, and works everywhere. */
export const cpu: Backend = { start: () => use("cpu") };
