/**
 * The peak speed of one core with fused multiply-adds: independent chains in registers. They are stored only at the end.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";

/** Number of independent chains: more than the latency of the multiply-add times its throughput. */
const CHAINS = 12;
/** Four multiply-adds. */
const FLOPS_PER_INSTRUCTION = 8;

/** Source of `vectors` chains of 128 bits. V8 fuses pairs of chains that are stored side by side. */
const source = (vectors: number) => {
  const each = (line: (i: number) => string) => Array.from({ length: vectors }, (_, i) => line(i)).join("\n");
  return `export function chains(repetitions: i32, x: f32, out: usize): void {
    const a = f32x4.splat(x), b = f32x4.splat(x);
    ${each((i) => `let s${i} = f32x4.splat(<f32>${i >> 1});`)}
    for (; repetitions > 0; repetitions--) { ${each((i) => `s${i} = f32x4.relaxed_madd(a, b, s${i});`)} }
    ${each((i) => `v128.store(out, s${i}, ${16 * i});`)}
  }`;
};

/**
 * Measures the peak of one core in floating-point operations per second.
 *
 * @param vectorBits 256 only in a process with V8's flags for it
 */
export async function fmaPeak(vectorBits: VectorBits = 128): Promise<number> {
  const vectors = CHAINS * vectorBits / 128;
  let binary = new Uint8Array();
  await asc.main([
    "peak.ts",
    "--outFile=peak.wasm",
    "--runtime=stub",
    "--initialMemory=1",
    "--optimizeLevel=0",
    "--enable=simd,relaxed-simd",
  ], {
    readFile: (name: string) => name === "peak.ts" ? source(vectors) : null,
    writeFile: (name: string, contents: Uint8Array | string) => {
      if (name === "peak.wasm") binary = new Uint8Array(contents as Uint8Array);
    },
    listFiles: () => [],
  });
  const { instance } = await WebAssembly.instantiate(binary);
  const chains = instance.exports.chains as (...args: number[]) => void;
  const repetitions = 4e6, times: number[] = [];
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    chains(repetitions, 0.5, 1024);
    times.push(performance.now() - start);
  }
  return repetitions * vectors * FLOPS_PER_INSTRUCTION / (Math.min(...times) / 1e3);
}
