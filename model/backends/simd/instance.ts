/**
 * Instances of the compiled kernels.
 *
 * @module
 */
import { PLAIN, PLAIN_SHARED, RELAXED, RELAXED_SHARED } from "./binary.ts";

/** The exports of the WebAssembly module; see `assembly/`. Addresses and strides are in bytes, sizes in floats. */
export type Kernels = Readonly<Record<KernelName, (...args: number[]) => void>>;

/** Name of an exported kernel. */
export type KernelName =
  | "adamw"
  | "add"
  | "attention"
  | "attentionGradient"
  | "crossEntropy"
  | "gatherRows"
  | "gelu"
  | "gemm"
  | "gemmTransA"
  | "layerNorm"
  | "layerNormGradient"
  | "maskedLoss"
  | "meanPool"
  | "meanPoolGradient"
  | "multiply"
  | "scale"
  | "sumMaskedRows"
  | "sumRows"
  | "zero";

/** Loads the fastest build that this machine supports. @param shared for a memory that threads share */
export function loadKernels(shared: boolean): WebAssembly.Module {
  const relaxed = Uint8Array.fromBase64(shared ? RELAXED_SHARED : RELAXED);
  if (WebAssembly.validate(relaxed)) return new WebAssembly.Module(relaxed);
  return new WebAssembly.Module(Uint8Array.fromBase64(shared ? PLAIN_SHARED : PLAIN));
}

/**
 * Instantiates the kernels on a memory.
 *
 * @throws {WebAssembly.LinkError} when only one of the module and the memory is shared
 */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}
