/**
 * The width of the vectors that the kernels compute with. WebAssembly's vectors have 128 bits. In a process that was
 * started with {@linkcode VECTOR_FLAGS}, V8 fuses pairs of them into vectors of 256 bits.
 *
 * @module
 */

/** Bits of a vector. */
export type VectorBits = 128 | 256;

/** How the width is chosen: `auto` for 256 bits where they are right and faster. */
export const VECTOR_SETTINGS = ["auto", "128", "256"] as const;
/** See {@linkcode VECTOR_SETTINGS}. */
export type VectorSetting = typeof VECTOR_SETTINGS[number];

/**
 * V8's flags for vectors of 256 bits. Without bounds checks a wrong address writes into the process, so only a process
 * that runs nothing but our kernels on checked sizes may have them.
 */
export const VECTOR_FLAGS: readonly string[] = ["--experimental-wasm-revectorize", "--no-wasm-bounds-checks"];
