/**
 * Entry file: the kernels that the WebAssembly module exports. Addresses and strides are in bytes, sizes in floats.
 * Values are float32 unless the comment of a kernel names another type. A matrix x[m, n] is stored by rows without gaps;
 * `row` is the size of a row in bytes.
 *
 * The build generates two things: the module `microKernel`, and the code of every loop with the comment
 * `#pragma unroll_and_jam`. `codegen/` has both generators, and the rules for the bodies of such loops.
 */
export { adamw } from "./adamw";
export { attention, attentionGradient } from "./attention";
export { add, multiply, scale, zero } from "./elementwise";
export { gelu } from "./gelu";
export { gemm, gemmTransA } from "./gemm";
export { layerNorm, layerNormGradient } from "./layerNorm";
export { crossEntropy, maskedLoss } from "./losses";
export { gatherRows, meanPool, meanPoolGradient, sumMaskedRows, sumRows } from "./rows";
