/**
 * TensorFlow.js in WebAssembly.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";
import { type Backend, BackendError } from "./backend.ts";

/** TensorFlow.js in WebAssembly. */
export const wasm: Backend = {
  async start() {
    if (!await tf.setBackend("wasm")) throw new BackendError("it did not start");
    return { ops: {} };
  },
};
