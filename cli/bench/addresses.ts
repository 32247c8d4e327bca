import { bytesOf } from "../../model/backends/simd/plan/layout.ts";

/** Allocates addresses in the memory of kernels. */
export class Addresses {
  #next = 1024;

  /** Allocates `values` floats. @returns their address in bytes */
  take(values: number): number {
    const at = this.#next;
    this.#next += bytesOf(values);
    return at;
  }

  /** Creates a memory for all addresses and for the bytes that kernels read past a last row. */
  memory(shared: boolean): WebAssembly.Memory {
    const initial = Math.ceil(this.#next / 65536) + 1;
    return new WebAssembly.Memory(shared ? { initial, maximum: 65536, shared } : { initial });
  }
}
