import { findTensorflow } from "../setup/tensorflow.ts";
import { testTraining } from "./training.ts";

// wasm runs operation by operation, simd in planned steps.
testTraining("wasm", 1);
testTraining("simd", 1);
testTraining("simd", 3);
testTraining("simd", 3, { vectorBits: 256 });
const native = await findTensorflow();
if (native) testTraining("tensorflow", 2, native);
