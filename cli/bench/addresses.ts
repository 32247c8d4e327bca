import { bytesOf } from "../../model/backends/simd/plan/layout.ts";

/** Addresses in a memory of kernels, one behind the other. */
export class Addresses {
  #next = 1024;

  /** Address of so many values. */
  take(values: number): number {
    const at = this.#next;
    this.#next += bytesOf(values);
    return at;
  }

  /** A memory that has room for all of them, and for what kernels read behind a last row. */
  memory(shared: boolean): WebAssembly.Memory {
    const initial = Math.ceil(this.#next / 65536) + 1;
    return new WebAssembly.Memory(shared ? { initial, maximum: 65536, shared } : { initial });
  }
}
