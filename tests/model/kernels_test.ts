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
