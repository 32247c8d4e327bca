/**
 * Entry file: the kernels that the WebAssembly module exports. Addresses and strides are in bytes, sizes in floats.
 * Values are float32 where nothing else is said. A matrix x[m, n] is stored by rows without gaps; `row` is the size of a
 * row in bytes.
 */
export { adamw } from "./adamw";
export { attention, attentionGradient } from "./attention";
export { add, multiply, scale, zero } from "./elementwise";
export { gelu } from "./gelu";
export { gemm } from "./gemm";
export { gemmTransA } from "./gemmTransA";
export { layerNorm, layerNormGradient } from "./layerNorm";
export { crossEntropy, maskedLoss } from "./losses";
export { gatherRows, meanPool, meanPoolGradient, sumMaskedRows, sumRows } from "./rows";
