/**
 * V8's flags for vectors of 256 bits are those of a process, so a benchmark with them runs in a process of its own.
 *
 * @module
 */
import { chooseVectors, vectorFlags } from "../../jobs/process/vectors.ts";
import { VECTOR_SETTINGS } from "../../model/backends/simd/vectorFlags.ts";
import { BenchError } from "./options.ts";

/**
 * Runs a benchmark in another process where it computes with vectors of 256 bits.
 *
 * @param args arguments of the command line
 * @param vectors the option `--vectors`
 * @returns the exit code of the process; null where this process can run the benchmark
 * @throws {BenchError} for an invalid option
 * @throws {VectorsError} for `256` on a machine that cannot
 */
export async function runWithVectors(args: readonly string[], vectors: string): Promise<number | null> {
  const setting = VECTOR_SETTINGS.find((name) => name === vectors);
  if (!setting) throw new BenchError(`--vectors must be ${VECTOR_SETTINGS.join(", ")}`);
  const { bits, note } = await chooseVectors(setting, null);
  if (note !== null) console.error(note);
  if (bits !== 256) return null;
  const main = new URL("./main.ts", import.meta.url).href,
    flags = `--v8-flags=${vectorFlags(bits).join(",")}`;
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", flags, main, ...args, `--vector-bits=${bits}`],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  return code;
}
