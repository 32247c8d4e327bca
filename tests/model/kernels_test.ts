import { expect } from "expect";
import { kernelModule } from "../../cli/buildKernels.ts";
import { PLAIN, RELAXED } from "../../model/backends/simd/binary.ts";

Deno.test("the committed kernels are what their source gives", async () => {
  const committed = await Deno.readTextFile(new URL("../../model/backends/simd/binary.ts", import.meta.url));
  // Compared as a whole: a difference would print two binaries.
  expect(await kernelModule() === committed).toBe(true);
});

Deno.test("the kernels hold no data of their own, which would overwrite the memory they work in", () => {
  for (const text of [RELAXED, PLAIN]) {
    const module = new WebAssembly.Module(Uint8Array.fromBase64(text));
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
    const memory = new WebAssembly.Memory({ initial: 1 });
    new Uint8Array(memory.buffer).fill(7);
    new WebAssembly.Instance(module, { env: { memory } });
    expect(new Uint8Array(memory.buffer).every((byte) => byte === 7)).toBe(true);
  }
});

Deno.test("both builds, with fused multiply-add and without, give the same product", () => {
  const m = 7, n = 16, k = 5;
  const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i)), b = a.map(Math.cos);
  const weight = Float32Array.from({ length: n * k }, (_, i) => b[i % b.length] + i);
  for (const text of [RELAXED, PLAIN]) {
    const memory = new WebAssembly.Memory({ initial: 1 });
    const module = new WebAssembly.Module(Uint8Array.fromBase64(text));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    const { pack, product } = exports as Record<string, (...numbers: number[]) => void>;
    const heap = new Float32Array(memory.buffer);
    heap.set(a, 256);
    heap.set(weight, 512);
    pack(n, k, 4 * 512, 4, 4 * k, 4 * 1024);
    product(m, n, k, 4 * 256, 4 * 1024, 4 * 2048, 0);
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        let sum = 0;
        for (let i = 0; i < k; i++) sum += a[row * k + i] * weight[column * k + i];
        expect(heap[2048 + row * n + column]).toBeCloseTo(sum, 3);
      }
    }
  }
});
