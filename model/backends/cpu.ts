/**
 * TensorFlow.js in JavaScript: slow, but available everywhere.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { type Backend, BackendError } from "./backend.ts";

/** TensorFlow.js in JavaScript. */
export const cpu: Backend = {
  async start() {
    if (!await tf.setBackend("cpu")) throw new BackendError("it did not start");
    return { ops: {} };
  },
};
