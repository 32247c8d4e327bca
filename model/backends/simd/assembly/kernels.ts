/**
 * Entry file: the kernels that the WebAssembly module exports. Addresses and strides are in bytes, sizes in floats.
 * Values are float32 unless the comment of a kernel names another type. A matrix x[m, n] is stored by rows without gaps;
 * `row` is the size of a row in bytes.
 *
 * The build generates the modules `microKernel`, `wideMicroKernel` and `compactKernel`, the code of every loop with the
 * comment `#pragma unroll_and_jam`, and sets of constants. `codegen/` has the generators and their rules. V8 fuses a pair
 * of vectors if it stores them at one address and address + 16, and if no branch lies between their operations. The
 * constant `VECTOR_BITS` is 256 in the build in which V8 fuses pairs of vectors, and 128 in the others.
 */
export { adamw } from "./adamw";
export { attention, attentionGradient } from "./attention";
export { add, addScaled, multiply, scale, scaleRows, zero } from "./elementwise";
export { gelu } from "./gelu";
export { gemm, gemmColumns, gemmTransA } from "./gemm";
export { layerNorm, layerNormGradient } from "./layerNorm";
export { crossEntropy, maskedLoss } from "./losses";
export { gatherRows, meanPool, meanPoolGradient, sumMaskedRows, sumRows } from "./rows";
