/**
 * The constants of compiled graphs in a memory of the kernels.
 *
 * @module
 */
import { bytesOf } from "./allocation.ts";

/** An array that a graph reads and that no step changes. */
type Constant = Float32Array | Int32Array;

/** Places constants one after another. Equal constants share memory. */
export class Constants {
  readonly #memory: WebAssembly.Memory;
  readonly #limit: number;
  readonly #placed: { readonly data: Constant; readonly address: number }[] = [];
  #end: number;

  /** @param address of the first constant @param bytes room for all of them */
  constructor(memory: WebAssembly.Memory, address: number, bytes: number) {
    this.#memory = memory;
    this.#end = address;
    this.#limit = address + bytes;
  }

  /** Returns the address of a constant, and writes it there at its first use. @throws {RangeError} without room for it */
  addressOf(data: Constant): number {
    const existing = this.#placed.find((placed) => isEqual(placed.data, data));
    if (existing) return existing.address;
    const address = this.#end;
    this.#end += bytesOf(data.length);
    if (this.#end > this.#limit) throw new RangeError("The plan has more constants than were measured");
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    new Uint8Array(this.#memory.buffer).set(bytes, address);
    this.#placed.push({ data, address });
    return address;
  }
}

function isEqual(a: Constant, b: Constant): boolean {
  return a === b ||
    a.constructor === b.constructor && a.length === b.length && a.every((value, i) => value === b[i]);
}
