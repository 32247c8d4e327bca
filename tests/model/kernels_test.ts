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
  new WebAssembly.Memory(shared ? { initial: 16, maximum: 65536, shared } : { initial: 16 });

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

/** Rows, columns and steps: whole tiles and not, one of each, more steps than are staged at once. */
const SIZES = [[1, 1, 1], [7, 13, 5], [6, 8, 8], [12, 16, 64], [5, 8, 71], [4, 24, 72], [11, 9, 150], [
  14,
  17,
  203,
]];

Deno.test("all builds, fused or not, shared or not, give products of either layout", () => {
  for (const [m, n, k] of SIZES) {
    const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i));
    const b = Float32Array.from({ length: k * n }, (_, i) => Math.cos(i) + i % 5);
    const bias = Float32Array.from({ length: n }, (_, i) => i);
    const residual = Float32Array.from({ length: m * n }, (_, i) => i % 7);
    const turned = Float32Array.from({ length: n * k }, (_, at) => b[at % k * n + Math.floor(at / k)]);
    for (const { module, shared } of BUILDS) {
      for (const [matrix, row, column] of [[b, 4 * n, 4], [turned, 4, 4 * k]] as const) {
        const memory = memoryFor(shared);
        const { product } = instantiate(module, memory);
        const heap = new Float32Array(memory.buffer).fill(99);
        heap.set(a, 1024);
        heap.set(matrix, 8192);
        heap.set(bias, 16384);
        heap.set(residual, 17408);
        product(m, n, k, 4 * 1024, 4 * 8192, row, column, 4 * 20480, 4 * 16384, 4 * 17408, 4 * 65536);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = bias[j] + residual[i * n + j];
            for (let step = 0; step < k; step++) sum += a[i * k + step] * b[step * n + j];
            expect(Math.abs(heap[20480 + i * n + j] - sum)).toBeLessThan(1e-5 * (k + Math.abs(sum)));
          }
        }
        // Nothing is written behind the result.
        expect([...heap.subarray(20480 + m * n, 65536)].every((value) => value === 99)).toBe(true);
      }
    }
  }
});

Deno.test("a value that is not finite stays in the row or column that it belongs to", () => {
  const m = 9, n = 11, k = 77;
  for (const { module, shared } of BUILDS) {
    const memory = memoryFor(shared);
    const { product, transposedProduct } = instantiate(module, memory);
    const heap = new Float32Array(memory.buffer).fill(1);
    heap[1024 + 3 * k + 70] = NaN;
    product(m, n, k, 4 * 1024, 4 * 8192, 4 * n, 4, 4 * 20480, 0, 0, 4 * 65536);
    for (let at = 0; at < m * n; at++) expect(heap[20480 + at]).toBe(Math.floor(at / n) === 3 ? NaN : k);
    heap.fill(1);
    heap[8192 + 5 * n + 10] = Infinity;
    product(m, n, k, 4 * 1024, 4 * 8192, 4 * n, 4, 4 * 20480, 0, 0, 4 * 65536);
    for (let at = 0; at < m * n; at++) expect(heap[20480 + at]).toBe(at % n === 10 ? Infinity : k);
    heap.fill(1);
    heap.fill(0, 20480, 20480 + m * n);
    heap[1024 + 70 * m + 8] = NaN;
    transposedProduct(k, m, n, 4 * 1024, 4 * 8192, 4 * 20480, 4 * 65536, 0, 0);
    for (let at = 0; at < m * n; at++) expect(heap[20480 + at]).toBe(Math.floor(at / n) === 8 ? NaN : k);
  }
});

Deno.test("a weight's gradient is the same, its operands packed or not, added to what is there or written over it", () => {
  const m = 261;
  for (
    const [n, k] of [[13, 11], [6, 8], [5, 16], [20, 24], [8, 9], [10, 8], [1, 1], [2, 8], [4, 8], [3, 17]]
  ) {
    for (const { module, shared } of BUILDS) {
      const memory = memoryFor(shared);
      const { transposedProduct } = instantiate(module, memory);
      const heap = new Float32Array(memory.buffer);
      const a = heap.subarray(256, 256 + m * n).map((_, i) => Math.sin(i));
      const b = heap.subarray(256, 256 + m * k).map((_, i) => Math.cos(i));
      heap.set(a, 256);
      heap.set(b, 8192);
      const ways = [0, 1].flatMap((anew) => [0, 4 * 32768].map((packed) => ({ anew, packed })));
      for (const { anew, packed } of ways) {
        const at = 20480;
        heap.fill(1, at, at + 1024);
        transposedProduct(m, n, k, 4 * 256, 4 * 8192, 4 * at, 4 * 24576, packed, anew);
        expect([...heap.subarray(at + n * k, at + 1024)].every((value) => value === 1)).toBe(true);
        heap.slice(at, at + n * k).forEach((value, at) => {
          const row = Math.floor(at / k), column = at % k;
          let sum = anew ? 0 : 1;
          for (let i = 0; i < m; i++) sum += a[i * n + row] * b[i * k + column];
          expect(value).toBeCloseTo(sum, 3);
        });
      }
    }
  }
});
