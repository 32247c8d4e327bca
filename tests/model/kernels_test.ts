import { expect } from "expect";
import { binarySource } from "../../cli/buildKernels.ts";
import { PLAIN, RELAXED, WIDE } from "../../model/backends/simd/binary.ts";
import { TILE_SIZE } from "../../model/backends/simd/assembly/blockSizes.ts";
import { compactKernelSource } from "../../model/backends/simd/codegen/compactKernel.ts";
import { microKernelSource } from "../../model/backends/simd/codegen/microKernel.ts";
import { wideMicroKernelSource } from "../../model/backends/simd/codegen/wideMicroKernel.ts";
import { instantiate, type Kernels } from "../../model/backends/simd/instance.ts";
import { KERNEL_NAMES, results } from "./kernelCalls.ts";

/** The builds for 32-bit addresses. */
const BUILDS = [RELAXED, PLAIN, WIDE].map((text) => new WebAssembly.Module(Uint8Array.fromBase64(text)));

const newMemory = () => new WebAssembly.Memory({ initial: 17, maximum: 65536, shared: true });

const readText = (path: string) =>
  Deno.readTextFile(new URL(`../../model/backends/simd/${path}`, import.meta.url));

Deno.test("binary.ts holds the kernels that the source compiles to", async () => {
  const committed = await readText("binary.ts");
  // A comparison with toBe() would print both binaries.
  expect(await binarySource() === committed).toBe(true);
});

for (
  const [name, source] of [
    ["microKernel", microKernelSource()],
    ["wideMicroKernel", wideMicroKernelSource()],
    ["compactKernel", compactKernelSource(128)],
  ]
) {
  Deno.test(`${name}.d.ts declares the functions of the generated micro-kernels`, async () => {
    const signatures = (source: string) =>
      source.match(/export function [^)]*\): void/g)!.map((text) => text.match(/\w+/g)!.join(" "));
    const declared = signatures(await readText(`assembly/${name}.d.ts`));
    expect(declared).toEqual(signatures(source));
  });
}

Deno.test("instantiating the kernels writes nothing to the memory", () => {
  for (const module of BUILDS) {
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const memory = newMemory();
    new Uint8Array(memory.buffer).fill(7);
    instantiate(module, memory);
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 7)).toBe(true);
  }
});

for (const name of KERNEL_NAMES) {
  Deno.test(`${name} gives the same bits with vectors of 128 and of 256 bits`, () => {
    const narrow = results(name, { vectorBits: 128 }), wide = results(name, { vectorBits: 256 });
    expect(wide.findIndex((value, i) => !Object.is(value, narrow[i]))).toBe(-1);
  });
}

/** Returns C of a product A · B + addend, and its largest error relative to the largest value. */
function errorOfProduct(module: WebAssembly.Module, k: number, addend: number): number {
  const [m, n] = [18, 16], length = k * m, tile = 1024 + 16 * length;
  const memory = new WebAssembly.Memory({ initial: 33, maximum: 33, shared: true });
  const [a, b, y, c] = [0, 1, 2, 3].map((i) =>
    new Float32Array(memory.buffer, 1024 + 4 * i * length, length)
  );
  a.forEach((_, i) => a[i] = Math.sin(i * i));
  b.forEach((_, i) => b[i] = Math.cos(i * i));
  y.fill(addend, 0, m * n);
  const [at, bt, yt, ct] = [a, b, y, c].map(({ byteOffset }) => byteOffset);
  instantiate(module, memory).gemm(m, n, k, at, bt, 4, 4 * k, ct, 0, addend && yt, tile);
  let error = 0, largest = 0;
  for (let i = 0; i < m * n; i++) {
    const row = k * Math.floor(i / n), column = k * (i % n);
    let exact = addend;
    for (let p = 0; p < k; p++) exact += a[row + p] * b[column + p];
    error = Math.max(error, Math.abs(c[i] - exact));
    largest = Math.max(largest, Math.abs(exact));
  }
  return error / largest;
}

Deno.test("products of long rows round like PyTorch's, with a large residual too", () => {
  for (const module of BUILDS) {
    // One chain of all steps has an error of 1e-6, and one from the residual of 4e-6.
    expect(errorOfProduct(module, 3072, 0)).toBeLessThan(3e-7);
    expect(errorOfProduct(module, 3072, 1000)).toBeLessThan(1.2e-7);
  }
});

Deno.test("means and losses of many rows round like PyTorch's", () => {
  const rows = 12_000, n = 8, [xs, targets, masks, out] = [0, 1, 2, 3].map((i) => 1024 + i * 4 * rows * n);
  for (const module of BUILDS) {
    const memory = new WebAssembly.Memory({ initial: 33, maximum: 33, shared: true });
    const x = new Float32Array(memory.buffer, xs, rows * n).map((_, i) => 1 + Math.sin(i * i) / 2);
    new Float32Array(memory.buffer, xs, rows * n).set(x);
    new Float32Array(memory.buffer, masks, rows).fill(1);
    const kernels = instantiate(module, memory);
    kernels.maskedLoss(rows, n, xs, targets, masks, out, out + 64);
    const loss = x.reduce((sum, value) => sum + value ** 2 / x.length, 0);
    expect(new Float32Array(memory.buffer, out, 1)[0] / loss).toBeCloseTo(1, 7);
    kernels.meanPool(1, rows, 0, rows, n, xs, out);
    const mean = x.reduce((sum, value, i) => i % n ? sum : sum + value / rows, 0);
    expect(Math.abs(new Float32Array(memory.buffer, out, 1)[0] / mean - 1)).toBeLessThan(5e-7);
  }
});

/** m, n and k: single values, whole and partial tiles, sums of one and of several panels. */
const SIZES = [
  ...[[1, 1, 1], [7, 13, 5], [6, 8, 8], [12, 16, 64]],
  ...[[5, 8, 71], [4, 24, 72], [11, 9, 150], [14, 17, 203]],
];

Deno.test("gemm is right in all builds, with B stored by rows and by columns", () => {
  for (const [m, n, k] of SIZES) {
    const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i));
    const b = Float32Array.from({ length: k * n }, (_, i) => Math.cos(i) + i % 5);
    const bias = Float32Array.from({ length: n }, (_, i) => i);
    const residual = Float32Array.from({ length: m * n }, (_, i) => i % 7);
    const transposed = Float32Array.from({ length: n * k }, (_, i) => b[i % k * n + Math.floor(i / k)]);
    for (const module of BUILDS) {
      for (const [matrix, rsB, csB] of [[b, 4 * n, 4], [transposed, 4, 4 * k]] as const) {
        const memory = newMemory();
        const { gemm } = instantiate(module, memory);
        const heap = new Float32Array(memory.buffer).fill(99);
        heap.set(a, 1024);
        heap.set(matrix, 8192);
        heap.set(bias, 16384);
        heap.set(residual, 17408);
        gemm(m, n, k, 4 * 1024, 4 * 8192, rsB, csB, 4 * 20480, 4 * 16384, 4 * 17408, 4 * 65536);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = bias[j] + residual[i * n + j];
            for (let step = 0; step < k; step++) sum += a[i * k + step] * b[step * n + j];
            expect(Math.abs(heap[20480 + i * n + j] - sum)).toBeLessThan(1e-5 * (k + Math.abs(sum)));
          }
        }
        // Nothing is written after the end of C.
        expect([...heap.subarray(20480 + m * n, 65536)].every((value) => value === 99)).toBe(true);
      }
    }
  }
});

Deno.test("a value that is not finite affects only its row or column of C", () => {
  const m = 9, n = 11, k = 77;
  for (const module of BUILDS) {
    const memory = newMemory();
    const { gemm, gemmTransA } = instantiate(module, memory);
    const heap = new Float32Array(memory.buffer).fill(1);
    heap[1024 + 3 * k + 70] = NaN;
    gemm(m, n, k, 4 * 1024, 4 * 8192, 4 * n, 4, 4 * 20480, 0, 0, 4 * 65536);
    for (let i = 0; i < m * n; i++) expect(heap[20480 + i]).toBe(Math.floor(i / n) === 3 ? NaN : k);
    heap.fill(1);
    heap[8192 + 5 * n + 10] = Infinity;
    gemm(m, n, k, 4 * 1024, 4 * 8192, 4 * n, 4, 4 * 20480, 0, 0, 4 * 65536);
    for (let i = 0; i < m * n; i++) expect(heap[20480 + i]).toBe(i % n === 10 ? Infinity : k);
    heap.fill(1);
    heap.fill(0, 20480, 20480 + m * n);
    heap[1024 + 70 * m + 8] = NaN;
    gemmTransA(m, n, k, 4 * 1024, 4 * 8192, 4 * 20480, 4 * 65536, 0, 0);
    for (let i = 0; i < m * n; i++) expect(heap[20480 + i]).toBe(Math.floor(i / n) === 8 ? NaN : k);
  }
});

Deno.test("gemmTransA is right with A packed or not, and with beta 0 or 1", () => {
  const m = 261;
  for (
    const [n, k] of [[13, 11], [6, 8], [5, 16], [20, 24], [8, 9], [10, 8], [1, 1], [2, 8], [4, 8], [3, 17]]
  ) {
    for (const module of BUILDS) {
      const memory = newMemory();
      const { gemmTransA } = instantiate(module, memory);
      const heap = new Float32Array(memory.buffer);
      const a = heap.subarray(256, 256 + m * n).map((_, i) => Math.sin(i));
      const b = heap.subarray(256, 256 + m * k).map((_, i) => Math.cos(i));
      heap.set(a, 256);
      heap.set(b, 8192);
      const cases = [0, 1].flatMap((overwrite) => [0, 4 * 196608].map((packed) => ({ overwrite, packed })));
      for (const { overwrite, packed } of cases) {
        const c = 20480;
        heap.fill(1, c, c + 1024);
        gemmTransA(n, k, m, 4 * 256, 4 * 8192, 4 * c, 4 * 24576, packed, overwrite);
        expect([...heap.subarray(c + n * k, c + 1024)].every((value) => value === 1)).toBe(true);
        heap.slice(c, c + n * k).forEach((value, index) => {
          const row = Math.floor(index / k), column = index % k;
          let sum = overwrite ? 0 : 1;
          for (let i = 0; i < m; i++) sum += a[i * n + row] * b[i * k + column];
          expect(value).toBeCloseTo(sum, 3);
        });
      }
    }
  }
});

/** Rows of A, columns of B and steps: below, at and above the sizes of tiles and blocks of both builds. */
const BLOCK_SIZES = [
  [1, 1, 1],
  [5, 7, 3],
  [6, 8, 4],
  [7, 9, 5],
  [8, 15, 8],
  [9, 16, 63],
  [10, 17, 64],
  [12, 24, 72],
  [13, 25, 73],
  [103, 33, 257],
  [400, 130, 20],
  [40, 300, 70],
  [300, 40, 130],
  [16, 23, 800],
  // Sizes around those at which a panel or a block of k gets the steps that are left.
  [14, 33, 71],
  [14, 33, 72],
  [14, 33, 263],
  [14, 33, 264],
  [14, 33, 775],
];

Deno.test("matrix products have the same bits with vectors of 128 and of 256 bits", () => {
  const length = 300_000, values = Float32Array.from({ length: 5 * length }, (_, i) => Math.sin(i * i));
  const [a, b, c, bias, scratch] = Array.from({ length: 5 }, (_, i) => 4 * (256 + i * length));
  const run = (text: string, call: (kernels: Kernels) => void) => {
    const memory = new WebAssembly.Memory({ initial: 100, maximum: 100, shared: true });
    const heap = new Float32Array(memory.buffer);
    heap.set(values, 256);
    call(instantiate(new WebAssembly.Module(Uint8Array.fromBase64(text)), memory));
    return heap.subarray(c / 4, bias / 4);
  };
  const packed = scratch + 4 * TILE_SIZE;
  for (const [m, n, k] of BLOCK_SIZES) {
    const calls: ((kernels: Kernels) => void)[] = [
      ({ gemm }) => gemm(m, n, k, a, b, 4 * n, 4, c, bias, a, scratch),
      ({ gemm }) => gemm(m, n, k, a, b, 4, 4 * k, c, bias, 0, scratch),
      ({ gemm }) => gemm(m, n, k, a, b, 4, 4 * k, c, 0, 0, scratch),
      ({ gemmTransA }) => gemmTransA(m, n, k, a, b, c, scratch, 0, 0),
      ({ gemmTransA }) => gemmTransA(m, n, k, a, b, c, scratch, packed, 0),
      ({ gemmTransA }) => gemmTransA(m, n, k, a, b, c, scratch, packed, 1),
    ];
    for (const [index, call] of calls.entries()) {
      const narrow = run(RELAXED, call), wide = run(WIDE, call);
      expect({ m, n, k, index, wrong: wide.findIndex((value, i) => !Object.is(value, narrow[i])) }).toEqual({
        ...{ m, n, k, index },
        wrong: -1,
      });
    }
  }
});
