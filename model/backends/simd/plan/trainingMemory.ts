/**
 * The shared memory of a planned training.
 *
 * @module
 */
import { sizeOf } from "../../../shape.ts";
import { outOfMemory } from "../../../training/error.ts";
import { momentKey, type StoredOptimizer } from "../../../training/storedState.ts";
import { distribute, type HostTensor, type ParameterSpec, type TensorStream } from "../../../weights.ts";
import type { AddressBits } from "../instance.ts";
import type { BufferAddresses } from "./compile.ts";
import { Constants } from "./constants.ts";
import type { MemoryLayout } from "./memoryLayout.ts";

/** Bytes of a page of a WebAssembly memory. */
const PAGE_BYTES = 65536;

/** Allocates a shared memory. The system provides a page when it is first used. @throws {TrainingError} `out_of_memory` */
function allocate(bytes: number, addressBits: AddressBits): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  try {
    if (addressBits === 32) return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    // TypeScript's library does not have 64-bit addresses yet.
    const descriptor = { address: "i64", initial: BigInt(pages), maximum: BigInt(pages), shared: true };
    return new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw outOfMemory(bytes, "which the system does not provide");
  }
}

/** The memory, its layout, and the constants in it. */
export class TrainingMemory {
  readonly memory: WebAssembly.Memory;
  readonly #constants: Constants;

  /**
   * Allocates the memory.
   *
   * @throws {TrainingError} `out_of_memory`
   */
  constructor(readonly layout: MemoryLayout, constantBytes: number, addressBits: AddressBits = 32) {
    this.memory = allocate(layout.bytes, addressBits);
    this.#constants = new Constants(this.memory, layout.constants, constantBytes);
  }

  /**
   * Writes the initial weights and, for a resumed training, the moments of the optimiser.
   *
   * @throws {RangeError} when a tensor is missing
   */
  async writeWeights(weights: TensorStream, state?: StoredOptimizer): Promise<void> {
    const { params, expAvg, expAvgSq, offsets, frozen } = this.layout;
    const to = (address: number) => ({ data }: HostTensor) =>
      new Float32Array(this.memory.buffer, address, data.length).set(data);
    const targets = new Map([...frozen].map(([name, address]) => [name, to(address)]));
    const moments = new Map<string, ReturnType<typeof to>>();
    for (const [name, offset] of offsets) {
      targets.set(name, to(params + offset));
      moments.set(momentKey("exp_avg", name), to(expAvg + offset));
      moments.set(momentKey("exp_avg_sq", name), to(expAvgSq + offset));
    }
    await distribute(weights, targets);
    if (state) await distribute(state.moments, moments);
  }

  /**
   * Returns the parameters, or their moments, as views of the memory.
   *
   * @param base address of the first one
   */
  views(base: number, specs: readonly ParameterSpec[]): Map<string, HostTensor> {
    return new Map(specs.map(({ name, shape }) => {
      const address = base + this.layout.offsets.get(name)!;
      return [name, { shape, data: new Float32Array(this.memory.buffer, address, sizeOf(shape)) }];
    }));
  }

  /** Returns the addresses for the programs of a worker. */
  addressesOf(workerIndex: number): BufferAddresses {
    const { params, offsets, frozen, worker, workerStride } = this.layout, base = workerIndex * workerStride;
    return {
      parameter: (name) => frozen.get(name) ?? params + offsets.get(name)!,
      gradient: (name) => worker.grads + base + offsets.get(name)!,
      constant: (data) => this.#constants.addressOf(data),
      feeds: worker.feeds + base,
      results: worker.results + base,
      scratch: worker.scratch + base,
    };
  }
}
