/**
 * The memory of a predictor: the weights, constants, and the buffers of the pass that runs.
 *
 * @module
 */
import { formatGib } from "../../../memory.ts";
import { PlanError } from "../../../planError.ts";
import { sizeOf } from "../../../shape.ts";
import type { HostWeights } from "../../../weights.ts";
import { bytesOf, OVERREAD, START } from "../plan/allocation.ts";
import { Constants } from "../plan/constants.ts";

/** Size of a page of WebAssembly memory. */
const PAGE = 65536;

/** Maximum number of pages: one less than 4 GiB, so that the end of every buffer is below 2^32. */
const MAX_PAGES = 65535;

/** Maximum growth for the buffers of passes. The address space is reserved, not the memory. */
const MAX_BUFFER_PAGES = 32768;

/** A memory with the weights of one model. */
export class ModelMemory {
  readonly memory: WebAssembly.Memory;
  /** First address after weights and constants. */
  readonly buffers: number;
  readonly #parameters = new Map<string, number>();
  readonly #constants: Constants;

  /**
   * Allocates the memory and copies the weights.
   *
   * @param constantBytes room for constants
   * @throws {PlanError} when the weights do not fit into 4 GiB
   */
  constructor(weights: HostWeights, constantBytes: number) {
    let end = START;
    for (const [name, { shape }] of weights) {
      this.#parameters.set(name, end);
      end += bytesOf(sizeOf(shape));
    }
    this.buffers = end + constantBytes;
    const initial = Math.ceil((this.buffers + OVERREAD) / PAGE);
    if (initial >= MAX_PAGES) throw new PlanError("the weights of the model do not fit into 4 GiB");
    const maximum = Math.min(MAX_PAGES, initial + MAX_BUFFER_PAGES);
    this.memory = new WebAssembly.Memory({ initial, maximum, shared: true });
    this.#constants = new Constants(this.memory, end, constantBytes);
    for (const [name, { data }] of weights) this.floats(this.#parameters.get(name)!, data.length).set(data);
  }

  /** Returns the values at an address. */
  floats(address: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.memory.buffer as ArrayBuffer, address, length);
  }

  /** Returns the address of a parameter. */
  parameter(name: string): number {
    return this.#parameters.get(name)!;
  }

  /** Returns the address of a constant. */
  constant(data: Float32Array | Int32Array): number {
    return this.#constants.addressOf(data);
  }

  /** Grows the memory where it ends before an address. @throws {RangeError} when it cannot grow that far */
  grow(end: number): void {
    const pages = Math.ceil((end + OVERREAD - this.memory.buffer.byteLength) / PAGE);
    if (pages <= 0) return;
    try {
      this.memory.grow(pages);
    } catch (cause) {
      throw new RangeError(`out of memory: a prediction cannot have ${formatGib(end)}`, { cause });
    }
  }
}
