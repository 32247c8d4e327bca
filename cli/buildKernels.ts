/**
 * `deno task build:kernels`: compiles the kernels with the AssemblyScript compiler and writes their bytes to
 * `model/backends/simd/binary.ts`.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import { compactKernelSource } from "../model/backends/simd/codegen/compactKernel.ts";
import { hoistConstants } from "../model/backends/simd/codegen/hoistConstants.ts";
import { microKernelSource } from "../model/backends/simd/codegen/microKernel.ts";
import { wideMicroKernelSource } from "../model/backends/simd/codegen/wideMicroKernel.ts";
import { unrollAndJam } from "../model/backends/simd/codegen/unrollAndJam.ts";
import type { AddressBits } from "../model/backends/simd/instance.ts";
import type { VectorBits } from "../model/backends/simd/vectorFlags.ts";
import { Memory64 } from "./memory64.ts";

const SOURCE = new URL("../model/backends/simd/assembly/", import.meta.url);
const OUT = new URL("../model/backends/simd/binary.ts", import.meta.url);

/** Options of a build of the kernels. */
export interface KernelBuild {
  /** Uses fused multiply-add (relaxed SIMD). */
  readonly relaxed: boolean;
  /** The constant `VECTOR_BITS` of the source, by which the wide build differs. */
  readonly vectorBits: VectorBits;
  /** Width of an address. @default 32 */
  readonly addressBits?: AddressBits;
}

/** Every build, by the name of its constant. */
const BUILDS: Readonly<Record<string, KernelBuild>> = {
  RELAXED: { relaxed: true, vectorBits: 128 },
  PLAIN: { relaxed: false, vectorBits: 128 },
  WIDE: { relaxed: true, vectorBits: 256 },
  WIDE_64: { relaxed: true, vectorBits: 256, addressBits: 64 },
};

/** Returns the AssemblyScript source of a file of `assembly/`; null for a file that does not exist. */
async function readSource(name: string, vectorBits: VectorBits): Promise<string | null> {
  if (name === "microKernel.ts") return microKernelSource();
  if (name === "wideMicroKernel.ts") return wideMicroKernelSource();
  if (name === "compactKernel.ts") return compactKernelSource(vectorBits);
  try {
    return hoistConstants(unrollAndJam(await Deno.readTextFile(new URL(name, SOURCE))));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Compiles the kernels.
 *
 * @throws {Error} with the compiler's messages
 */
export async function compileKernels(
  { relaxed, vectorBits, addressBits = 32 }: KernelBuild,
): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main([
    "kernels.ts",
    "--outFile=kernels.wasm",
    "--runtime=stub",
    "--importMemory",
    "--noExportMemory",
    // With a minimum size, V8 checks an access with a small constant offset once instead of twice.
    "--initialMemory=1",
    "--noAssert",
    `--use=VECTOR_BITS=${vectorBits}`,
    // Binaryen's optimizer reorders the micro-kernels so that registers spill.
    "--optimizeLevel=0",
    "--shrinkLevel=0",
    // An inlined function is a block that its value leaves by a branch, and a copy of every argument. These passes
    // remove branch and copies, and move no instruction. V8 fuses two vectors only if no branch lies between them.
    "--runPasses=remove-unused-brs,remove-unused-names,coalesce-locals,vacuum",
    `--enable=simd,bulk-memory,threads${relaxed ? ",relaxed-simd" : ""}`,
    "--sharedMemory",
    "--maximumMemory=65536",
  ], {
    readFile: (name: string) => readSource(name, vectorBits),
    writeFile: (name: string, contents: Uint8Array | string) => {
      if (name === "kernels.wasm") binary = contents as Uint8Array;
    },
    listFiles: () => [],
    transforms: addressBits === 64 ? [Memory64 as unknown as asc.Transform] : [],
  });
  if (error || !binary) throw new Error(`The kernels do not compile: ${error?.message}\n${stderr}`);
  return new Uint8Array(binary);
}

/** Returns the source text of `binary.ts`: the bytes of every build. */
export async function binarySource(): Promise<string> {
  const constants: string[] = [];
  for (const [name, build] of Object.entries(BUILDS)) {
    const sums = build.relaxed ? "fused multiply-add (relaxed SIMD)" : "plain SIMD";
    const width = build.vectorBits === 256 ? " in pairs of vectors" : "";
    const addresses = build.addressBits === 64 ? ", with 64-bit addresses" : "";
    constants.push(
      `/** WebAssembly with ${sums}${width}${addresses}, in base64. */
export const ${name}: string =
  "${(await compileKernels(build)).toBase64()}";
`,
    );
  }
  return `/**
 * The compiled kernels: \`deno task build:kernels\` writes this file from \`assembly/\`.
 *
 * @module
 */

${constants.join("\n")}`;
}

if (import.meta.main) await Deno.writeTextFile(OUT, await binarySource());
