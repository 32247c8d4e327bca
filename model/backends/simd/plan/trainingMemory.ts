/**
 * The shared memory of a planned training.
 *
 * @module
 */
import { sizeOf } from "../../../shape.ts";
import { outOfMemory } from "../../../training/error.ts";
import { momentKey, type StoredOptimizer } from "../../../training/storedState.ts";
import type { HostTensor, ParameterSpec, TensorStream } from "../../../weights.ts";
import type { AddressBits } from "../instance.ts";
import { bytesOf } from "./allocation.ts";
import type { BufferAddresses } from "./compile.ts";
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
  readonly #constants: { data: Float32Array | Int32Array; address: number }[] = [];
  #constantsEnd: number;
  readonly #constantsLimit: number;

  /**
   * Allocates the memory.
   *
   * @throws {TrainingError} `out_of_memory`
   */
  constructor(readonly layout: MemoryLayout, constantBytes: number, addressBits: AddressBits = 32) {
    this.memory = allocate(layout.bytes, addressBits);
    this.#constantsEnd = layout.constants;
    this.#constantsLimit = layout.constants + constantBytes;
  }

  /**
   * Writes the initial weights and, for a resumed training, the moments of the optimiser.
   *
   * @throws {RangeError} when a tensor is missing
   */
  async writeWeights(weights: TensorStream, state?: StoredOptimizer): Promise<void> {
    const { params, expAvg, expAvgSq, offsets, frozen } = this.layout;
    const addresses = new Map(frozen), moments = new Map<string, number>();
    for (const [name, offset] of offsets) {
      addresses.set(name, params + offset);
      moments.set(momentKey("exp_avg", name), expAvg + offset);
      moments.set(momentKey("exp_avg_sq", name), expAvgSq + offset);
    }
    await this.#writeAll(weights, addresses);
    if (state) await this.#writeAll(state.moments, moments);
  }

  /** Writes the tensors of a stream that have an address. */
  async #writeAll(stream: TensorStream, addresses: ReadonlyMap<string, number>): Promise<void> {
    let missing = addresses.size;
    for await (const [name, tensor] of stream) {
      const address = addresses.get(name);
      if (address === undefined) continue;
      this.#write(address, tensor);
      missing--;
    }
    if (missing > 0) {
      throw new RangeError(`${missing} of ${addresses.size} tensors of the training are missing`);
    }
  }

  #write(address: number, { data }: HostTensor): void {
    new Float32Array(this.memory.buffer, address, data.length).set(data);
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
      constant: (data) => this.#constant(data),
      feeds: worker.feeds + base,
      results: worker.results + base,
      scratch: worker.scratch + base,
    };
  }

  /** Returns the address of a constant. Equal constants share memory. */
  #constant(data: Float32Array | Int32Array): number {
    const isEqual = (other: Float32Array | Int32Array) =>
      other === data ||
      other.constructor === data.constructor && other.length === data.length &&
        other.every((value, i) => value === data[i]);
    const existing = this.#constants.find((constant) => isEqual(constant.data));
    if (existing) return existing.address;
    const address = this.#constantsEnd;
    this.#constantsEnd += bytesOf(data.length);
    if (this.#constantsEnd > this.#constantsLimit) {
      throw new RangeError("A smaller chunk has constants that the largest one does not have");
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array(this.memory.buffer).set(bytes, address);
    this.#constants.push({ data, address });
    return address;
  }
}
