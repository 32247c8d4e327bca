/**
 * Instances of the compiled kernels.
 *
 * @module
 */
import { PLAIN, RELAXED, WIDE, WIDE_64 } from "./binary.ts";
import type { VectorBits } from "./vectorFlags.ts";

/** The exports of the WebAssembly module; see `assembly/`. Addresses and strides are in bytes, sizes in floats. */
export type Kernels = Readonly<Record<KernelName, (...args: number[]) => void>>;

/** Name of an exported kernel. */
export type KernelName =
  | "adamw"
  | "add"
  | "addScaled"
  | "attention"
  | "attentionGradient"
  | "crossEntropy"
  | "gatherRows"
  | "gelu"
  | "gemm"
  | "gemmColumns"
  | "gemmTransA"
  | "layerNorm"
  | "layerNormGradient"
  | "maskedLoss"
  | "meanPool"
  | "meanPoolGradient"
  | "multiply"
  | "scale"
  | "scaleRows"
  | "sumMaskedRows"
  | "sumRows"
  | "zero";

/** Bits of an address in a memory. */
export type AddressBits = 32 | 64;

/** Which build of the kernels to load. */
export interface BuildOptions {
  /** @default 128 */
  readonly vectorBits?: VectorBits;
  /** Width of the memory's addresses. @default 32 */
  readonly addressBits?: AddressBits;
}

/** Returns whether this machine can run the kernels on a memory with 64-bit addresses. */
export function supportsAddresses64(): boolean {
  return WebAssembly.validate(Uint8Array.fromBase64(WIDE_64));
}

/** Returns the width for which this machine has a build: 256 bits need relaxed SIMD. @param requested width */
export function supportedVectorBits(requested: VectorBits): VectorBits {
  return requested === 256 && WebAssembly.validate(Uint8Array.fromBase64(WIDE)) ? 256 : 128;
}

/**
 * Loads the fastest build that this machine supports. The build for 64-bit addresses serves both widths of vectors.
 *
 * @throws {WebAssembly.CompileError} for 64-bit addresses where {@linkcode supportsAddresses64} is false
 */
export function loadKernels({ vectorBits = 128, addressBits = 32 }: BuildOptions): WebAssembly.Module {
  if (addressBits === 64) return new WebAssembly.Module(Uint8Array.fromBase64(WIDE_64));
  const fast = Uint8Array.fromBase64(vectorBits === 256 ? WIDE : RELAXED);
  return new WebAssembly.Module(WebAssembly.validate(fast) ? fast : Uint8Array.fromBase64(PLAIN));
}

/**
 * Instantiates the kernels on a shared memory.
 *
 * @throws {WebAssembly.LinkError} when the memory is not shared
 */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}
