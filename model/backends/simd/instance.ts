/**
 * Instances of the compiled kernels.
 *
 * @module
 */
import { PLAIN, PLAIN_SHARED, RELAXED, RELAXED_SHARED } from "./binary.ts";

/** The exports of the kernel module; see `assembly/`. Addresses and strides are in bytes, sizes in floats. */
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

/** Compiled kernels. A module can be posted to a worker. */
export interface KernelModule {
  readonly module: WebAssembly.Module;
  /** `relaxed` uses fused multiply-add. */
  readonly build: "relaxed" | "plain";
}

/** Compiles the fastest build that this machine supports. @param shared for a memory that threads share */
export function kernelModule(shared: boolean): KernelModule {
  const relaxed = Uint8Array.fromBase64(shared ? RELAXED_SHARED : RELAXED);
  if (WebAssembly.validate(relaxed)) return { module: new WebAssembly.Module(relaxed), build: "relaxed" };
  const plain = Uint8Array.fromBase64(shared ? PLAIN_SHARED : PLAIN);
  return { module: new WebAssembly.Module(plain), build: "plain" };
}

/**
 * Instantiates the kernels on a memory.
 *
 * @throws {WebAssembly.LinkError} when only one of the module and the memory is shared
 */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}
