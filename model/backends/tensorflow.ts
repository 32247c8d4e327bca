/**
 * TensorFlow's native library through `@tensorflow/tfjs-node`.
 *
 * @module
 */
import { type Backend, BackendError } from "./backend.ts";

/** TensorFlow's native library. */
export const tensorflow: Backend = {
  start({ tensorflow }) {
    if (!tensorflow) throw new BackendError("it is not set up (deno task backend:tensorflow)");
    throw new BackendError("it is not set up (deno task backend:tensorflow)");
  },
};
