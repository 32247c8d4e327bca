/**
 * The peak speed of one core with 128-bit fused multiply-adds: independent chains in registers, without memory
 * accesses.
 *
 * @module
 */
import asc from "assemblyscript/asc";

/** Number of independent chains: more than the latency of the multiply-add times its throughput. */
const CHAINS = 12;
/** Four multiply-adds. */
const FLOPS_PER_INSTRUCTION = 8;

const source = () => {
  const each = (line: (i: number) => string) => Array.from({ length: CHAINS }, (_, i) => line(i)).join("\n");
  return `export function chains(repetitions: i32, x: f32): f32 {
    const a = f32x4.splat(x), b = f32x4.splat(x);
    ${each((i) => `let s${i} = f32x4.splat(<f32>${i});`)}
    for (; repetitions > 0; repetitions--) { ${each((i) => `s${i} = f32x4.relaxed_madd(a, b, s${i});`)} }
    ${each((i) => i === 0 ? "let sum = s0;" : `sum = f32x4.add(sum, s${i});`)}
    return f32x4.extract_lane(sum, 0);
  }`;
};

/** Measures the peak of one core in floating-point operations per second. */
export async function fmaPeak(): Promise<number> {
  let binary = new Uint8Array();
  await asc.main([
    "peak.ts",
    "--outFile=peak.wasm",
    "--runtime=stub",
    "--optimizeLevel=0",
    "--enable=simd,relaxed-simd",
  ], {
    readFile: (name: string) => name === "peak.ts" ? source() : null,
    writeFile: (name: string, contents: Uint8Array | string) => {
      if (name === "peak.wasm") binary = new Uint8Array(contents as Uint8Array);
    },
    listFiles: () => [],
  });
  const { instance } = await WebAssembly.instantiate(binary);
  const chains = instance.exports.chains as (repetitions: number, x: number) => number;
  const repetitions = 4e6, times: number[] = [];
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    chains(repetitions, 0.5);
    times.push(performance.now() - start);
  }
  return repetitions * CHAINS * FLOPS_PER_INSTRUCTION / (Math.min(...times) / 1e3);
}
