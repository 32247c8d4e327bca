/**
 * What one core can do at most with 128-bit fused multiply-adds: chains in registers, and nothing else.
 *
 * @module
 */
import asc from "assemblyscript/asc";

/** Chains that are independent of each other: more than the pipeline is deep. */
const CHAINS = 12;

const source = () => {
  const each = (line: (i: number) => string) => Array.from({ length: CHAINS }, (_, i) => line(i)).join("\n");
  return `export function chains(turns: i32, x: f32): f32 {
    const a = f32x4.splat(x), b = f32x4.splat(x);
    ${each((i) => `let s${i} = f32x4.splat(<f32>${i});`)}
    for (; turns > 0; turns--) { ${each((i) => `s${i} = f32x4.relaxed_madd(a, b, s${i});`)} }
    ${each((i) => i === 0 ? "let sum = s0;" : `sum = f32x4.add(sum, s${i});`)}
    return f32x4.extract_lane(sum, 0);
  }`;
};

/** Measured peak of one core in operations a second. */
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
  const chains = instance.exports.chains as (turns: number, x: number) => number;
  const turns = 4e6, times: number[] = [];
  for (let i = 0; i < 8; i++) {
    const start = performance.now();
    chains(turns, 0.5);
    times.push(performance.now() - start);
  }
  return turns * CHAINS * 8 / (Math.min(...times) / 1e3);
}
