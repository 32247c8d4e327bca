import { expect } from "expect";
import { kernelModule } from "../../cli/buildKernels.ts";
import { PLAIN, PLAIN_SHARED, RELAXED, RELAXED_SHARED } from "../../model/backends/simd/binary.ts";
import { instantiate } from "../../model/backends/simd/instance.ts";

/** Every build, and a memory as it wants it. */
const BUILDS = [RELAXED, PLAIN, RELAXED_SHARED, PLAIN_SHARED].map((text) => ({
  module: new WebAssembly.Module(Uint8Array.fromBase64(text)),
  shared: text === RELAXED_SHARED || text === PLAIN_SHARED,
}));

const memoryFor = (shared: boolean) =>
  new WebAssembly.Memory(shared ? { initial: 1, maximum: 65536, shared } : { initial: 1 });

Deno.test("the committed kernels are what their source gives", async () => {
  const committed = await Deno.readTextFile(new URL("../../model/backends/simd/binary.ts", import.meta.url));
  // Compared as a whole: a difference would print the binaries.
  expect(await kernelModule() === committed).toBe(true);
});

Deno.test("the kernels hold no data of their own, which would overwrite the memory they work in", () => {
  for (const { module, shared } of BUILDS) {
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const memory = memoryFor(shared);
    new Uint8Array(memory.buffer).fill(7);
    instantiate(module, memory);
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 7)).toBe(true);
  }
});

Deno.test("all builds, with fused multiply-add and without, shared and not, give the same product", () => {
  const m = 7, k = 5;
  for (const n of [1, 8, 13, 16]) {
    const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i));
    const weight = Float32Array.from({ length: n * k }, (_, i) => Math.cos(i) + i);
    for (const { module, shared } of BUILDS) {
      const memory = memoryFor(shared);
      const { pack, product } = instantiate(module, memory);
      const heap = new Float32Array(memory.buffer).fill(99);
      heap.set(a, 256);
      heap.set(weight, 512);
      pack(n, k, 4 * 512, 4, 4 * k, 4 * 1024);
      product(m, n, k, 4 * 256, 4 * 1024, 4 * 2048, 0, 0, 4 * 4096);
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let sum = 0;
          for (let i = 0; i < k; i++) sum += a[row * k + i] * weight[column * k + i];
          expect(heap[2048 + row * n + column]).toBeCloseTo(sum, 3);
        }
      }
      // Nothing is written behind the result.
      expect([...heap.subarray(2048 + m * n, 4096)].every((value) => value === 99)).toBe(true);
    }
  }
});

Deno.test("a weight's gradient is the same, its operands packed or not, and is added to what is there", () => {
  const m = 261;
  for (const [n, k] of [[13, 11], [6, 8], [5, 16], [20, 24]]) {
    for (const { module, shared } of BUILDS) {
      const memory = memoryFor(shared);
      memory.grow(4);
      const { transposedProduct } = instantiate(module, memory);
      const heap = new Float32Array(memory.buffer);
      const a = heap.subarray(256, 256 + m * n).map((_, i) => Math.sin(i));
      const b = heap.subarray(256, 256 + m * k).map((_, i) => Math.cos(i));
      heap.set(a, 256);
      heap.set(b, 8192);
      const results = [0, 4 * 32768].map((packed, turn) => {
        const at = 20480 + 1024 * turn;
        heap.fill(1, at, at + n * k);
        transposedProduct(m, n, k, 4 * 256, 4 * 8192, 4 * at, 4 * 24576, packed);
        return heap.slice(at, at + n * k);
      });
      for (const result of results) {
        result.forEach((value, at) => {
          const row = Math.floor(at / k), column = at % k;
          let sum = 1;
          for (let i = 0; i < m; i++) sum += a[i * n + row] * b[i * k + column];
          expect(value).toBeCloseTo(sum, 3);
        });
      }
    }
  }
});
