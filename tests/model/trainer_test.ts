import { testTraining } from "./training.ts";

// TensorFlow.js operation by operation, and planned steps.
testTraining("wasm", 1);
testTraining("simd", 1);
testTraining("simd", 3);
