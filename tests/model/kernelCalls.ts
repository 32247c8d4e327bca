/**
 * Calls of every kernel on fixed data.
 *
 * @module
 */
import {
  type AddressBits,
  instantiate,
  type KernelName,
  loadKernels,
} from "../../model/backends/simd/instance.ts";
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";

/** Returns a lazily allocated memory: a page that is never used costs nothing. */
function memoryOf(addressBits: AddressBits, bytes: number): WebAssembly.Memory {
  const pages = Math.ceil(bytes / 65536);
  const descriptor = addressBits === 32
    ? { initial: pages, maximum: pages, shared: true }
    : { address: "i64", initial: BigInt(pages), maximum: BigInt(pages), shared: true };
  return new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
}

const FLOATS = 16384, INDICES = 8;
/** Returns the address of buffer i. */
const buffer = (base: number, i: number) => base + 4 * FLOATS * i;

/** Arguments of every kernel. The buffers 0 to 7 contain floats, buffer 8 contains indices from 0 to 3. */
const CALLS: Readonly<Record<KernelName, (at: (buffer: number) => number) => number[][]>> = {
  adamw: (at) => [[104, at(0), at(1), at(2), at(3), 2, 4 * FLOATS, 0.99, 0.1, 0.9, 0.01, 1, 1e-8, 0.1]],
  add: (at) => [[99, 33, at(0), at(1), at(2)]],
  addScaled: (at) => [[3, 37, at(0), at(1), at(2), at(3)]],
  attention: (at) => [[0, 4, 11, 2, 6, at(0), 0, at(1), at(2), at(3), 0.4], [
    ...[1, 2, 11, 2, 6, at(0), at(5), at(1), at(2), at(3), 0.4],
  ]],
  attentionGradient: (at) => [
    [4, 11, 2, 6, at(0), at(5), at(1), at(2), at(3), at(4), 0.4],
  ],
  crossEntropy: (at) => [[5, 4, at(0), at(INDICES), at(1), at(2)]],
  gatherRows: (at) => [[9, 13, at(0), at(1), at(INDICES), at(2)]],
  gelu: (at) => [[103, at(0), at(1), at(2)]],
  gemm: (at) => [
    [14, 19, 83, at(0), at(1), 4 * 19, 4, at(2), at(3), at(4), at(5)],
    [109, 32, 24, at(0), at(1), 4, 4 * 24, at(2), 0, 0, at(5)],
  ],
  gemmColumns: (at) => [[14, 17, 83, at(0), at(1), 4 * 19, 4, at(2), 4 * 19, at(3), at(4), at(5)]],
  gemmTransA: (at) => [
    [17, 21, 91, at(0), at(1), at(2), at(3), 0, 0],
    [40, 32, 91, at(0), at(1), at(2), at(3), at(4), 1],
  ],
  layerNorm: (at) => [
    [7, 39, at(0), at(1), at(2), at(3), at(4), at(5), 1e-5],
    [7, 39, at(0), at(1), at(2), at(3), at(4), at(5), 1e-12],
  ],
  layerNormGradient: (at) => [[7, 39, at(0), at(1), at(2), at(3), at(4), at(5), at(6)]],
  maskedLoss: (at) => [[9, 21, at(0), at(1), at(2), at(3), at(4)]],
  meanPool: (at) => [[3, 5, 1, 3, 21, at(0), at(1)]],
  meanPoolGradient: (at) => [[3, 5, 1, 3, 21, at(0), at(1)]],
  multiply: (at) => [[103, at(0), at(1), at(2)]],
  scale: (at) => [[103, at(0), at(1), at(2)]],
  scaleRows: (at) => [[3, 37, at(0), at(1), at(2)]],
  sumMaskedRows: (at) => [[11, 21, at(0), at(1), at(2)]],
  sumRows: (at) => [[11, 101, at(0), at(1)]],
  zero: (at) => [[at(0), 77]],
};

/** Names of all kernels. */
export const KERNEL_NAMES = Object.keys(CALLS) as KernelName[];

/** First buffer of scratch memory, which a build uses in its own way. The other buffers precede it. */
const SCRATCH: Partial<Record<KernelName, number>> = { gemm: 5, gemmColumns: 5, gemmTransA: 3 };

/** Runs the calls of a kernel. @param options.base address of the buffers @returns all values of the buffers */
export function results(
  name: KernelName,
  { addressBits = 32, vectorBits = 256, base = 0 }: {
    addressBits?: AddressBits;
    vectorBits?: VectorBits;
    base?: number;
  },
): Float32Array {
  const count = 10 * FLOATS, memory = memoryOf(addressBits, base + 4 * count);
  const values = new Float32Array(memory.buffer, base, count);
  values.set(
    Float32Array.from({ length: count }, (_, i) => Math.sin(i) ** 2),
  );
  new Int32Array(memory.buffer, buffer(base, INDICES), FLOATS).forEach((_, i, all) => all[i] = i % 4);
  const kernels = instantiate(loadKernels({ vectorBits, addressBits }), memory);
  for (const call of CALLS[name]((i) => buffer(base, i))) kernels[name](...call);
  return values.subarray(0, FLOATS * (SCRATCH[name] ?? 10));
}
