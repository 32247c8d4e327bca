/**
 * `deno task build:kernels`: compiles the kernels' source and writes the module that holds their bytes.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import { kernelSource } from "../model/backends/simd/source.ts";

const OUT = new URL("../model/backends/simd/binary.ts", import.meta.url);

/**
 * Compiles the kernels.
 *
 * @param relaxed with fused multiply-add
 * @throws {Error} with the compiler's messages
 */
export async function compileKernels(relaxed: boolean): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main([
    "kernels.ts",
    "--outFile=kernels.wasm",
    "--runtime=stub",
    "--importMemory",
    "--noAssert",
    // Binaryen's own reordering spills registers: the source is as it should run.
    "--optimizeLevel=0",
    "--shrinkLevel=0",
    "--enable=simd,relaxed-simd,bulk-memory",
  ], {
    readFile: (name: string) => name === "kernels.ts" ? kernelSource(relaxed) : null,
    writeFile: (name: string, contents: Uint8Array | string) => {
      if (name === "kernels.wasm") binary = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error || !binary) throw new Error(`The kernels do not compile: ${error?.message}\n${stderr}`);
  return new Uint8Array(binary);
}

/** The text of the module with the bytes of both builds. */
export async function kernelModule(): Promise<string> {
  const bytes = async (relaxed: boolean) => (await compileKernels(relaxed)).toBase64();
  return `/**
 * The compiled kernels: \`deno task build:kernels\` writes this file from \`source.ts\`.
 *
 * @module
 */

/** WebAssembly with fused multiply-add (relaxed SIMD), in base64. */
export const RELAXED: string =
  "${await bytes(true)}";

/** The same with plain SIMD. */
export const PLAIN: string =
  "${await bytes(false)}";
`;
}

if (import.meta.main) await Deno.writeTextFile(OUT, await kernelModule());
