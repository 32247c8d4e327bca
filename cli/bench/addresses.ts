import { bytesOf } from "../../model/backends/simd/plan/allocation.ts";

/** Consecutive buffers in a memory of the kernels. */
export class Addresses {
  #end = 1024;

  /** Returns the address of a buffer of `length` floats. */
  reserve(length: number): number {
    const address = this.#end;
    this.#end += bytesOf(length);
    return address;
  }

  /** Returns a memory for all buffers, with a page more because kernels read beyond the last row of a matrix. */
  memory(): WebAssembly.Memory {
    const initial = Math.ceil(this.#end / 65536) + 1;
    return new WebAssembly.Memory({ initial, maximum: 65536, shared: true });
  }
}
