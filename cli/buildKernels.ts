/**
 * `deno task build:kernels`: compiles the kernels' source and writes the module that holds their bytes.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import { kernelSource } from "../model/backends/simd/source/module.ts";

const OUT = new URL("../model/backends/simd/binary.ts", import.meta.url);

/** One way of compiling the kernels. */
export interface KernelBuild {
  /** With fused multiply-add (relaxed SIMD). */
  readonly relaxed: boolean;
  /** For a memory that threads share. */
  readonly shared: boolean;
}

/** Every build, by the name of its constant. */
const BUILDS: Readonly<Record<string, KernelBuild>> = {
  RELAXED: { relaxed: true, shared: false },
  PLAIN: { relaxed: false, shared: false },
  RELAXED_SHARED: { relaxed: true, shared: true },
  PLAIN_SHARED: { relaxed: false, shared: true },
};

/**
 * Compiles the kernels.
 *
 * @throws {Error} with the compiler's messages
 */
export async function compileKernels({ relaxed, shared }: KernelBuild): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main([
    "kernels.ts",
    "--outFile=kernels.wasm",
    "--runtime=stub",
    "--importMemory",
    // An access at a small offset is checked once, not twice, in a memory that is known to have a page.
    "--initialMemory=1",
    "--noAssert",
    // Binaryen's own reordering spills registers: the source is as it should run.
    "--optimizeLevel=0",
    "--shrinkLevel=0",
    `--enable=simd,relaxed-simd,bulk-memory${shared ? ",threads" : ""}`,
    ...(shared ? ["--sharedMemory", "--maximumMemory=65536"] : []),
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

/** The text of the module with the bytes of every build. */
export async function kernelModule(): Promise<string> {
  const constants: string[] = [];
  for (const [name, build] of Object.entries(BUILDS)) {
    const sums = build.relaxed ? "fused multiply-add (relaxed SIMD)" : "plain SIMD";
    const memory = build.shared ? "a memory that threads share" : "a memory of its own";
    constants.push(
      `/** WebAssembly with ${sums}, for ${memory}, in base64. */
export const ${name}: string =
  "${(await compileKernels(build)).toBase64()}";
`,
    );
  }
  return `/**
 * The compiled kernels: \`deno task build:kernels\` writes this file from \`source/\`.
 *
 * @module
 */

${constants.join("\n")}`;
}

if (import.meta.main) await Deno.writeTextFile(OUT, await kernelModule());
