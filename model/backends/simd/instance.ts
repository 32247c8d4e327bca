/**
 * The compiled kernels, instantiated on a memory.
 *
 * @module
 */
import { PLAIN, PLAIN_SHARED, RELAXED, RELAXED_SHARED } from "./binary.ts";

/** What the kernels' module exports; see `source/` for each. Addresses in bytes, sizes in values. */
export type Kernels = Readonly<Record<KernelExport, (...numbers: number[]) => void>>;

/** Name of an exported kernel. */
export type KernelExport =
  | "adamw"
  | "add"
  | "attention"
  | "attentionGradient"
  | "crossEntropy"
  | "gelu"
  | "layerNorm"
  | "layerNormGradient"
  | "maskedLoss"
  | "meanPool"
  | "meanPoolGradient"
  | "multiply"
  | "product"
  | "scale"
  | "sumMasked"
  | "sumRows"
  | "takeRows"
  | "transposedProduct"
  | "zero";

/** Compiled kernels; a module can be sent to a worker. */
export interface KernelModule {
  readonly module: WebAssembly.Module;
  /** How products are summed: `relaxed` is fused multiply-add. */
  readonly build: "relaxed" | "plain";
}

/** Compiles the build that this machine can run. @param shared for a memory that threads share */
export function kernelModule(shared: boolean): KernelModule {
  const relaxed = Uint8Array.fromBase64(shared ? RELAXED_SHARED : RELAXED);
  if (WebAssembly.validate(relaxed)) return { module: new WebAssembly.Module(relaxed), build: "relaxed" };
  const plain = Uint8Array.fromBase64(shared ? PLAIN_SHARED : PLAIN);
  return { module: new WebAssembly.Module(plain), build: "plain" };
}

/** The kernels on a memory. @throws {WebAssembly.LinkError} when the memory is not of the module's kind */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernels;
}
