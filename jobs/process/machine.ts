/**
 * What the choice of vectors depends on: Deno, V8 and the CPU.
 *
 * @module
 */
import { cpus } from "node:os";

/** The versions and the CPU for which a choice of vectors holds. */
export interface Machine {
  readonly deno: string;
  readonly v8: string;
  readonly cpu: string;
  readonly arch: string;
}

/** Returns the versions and the CPU of this process. */
export function machine(): Machine {
  const { deno, v8 } = Deno.version;
  return { deno, v8, cpu: cpus()[0]?.model ?? "unknown", arch: Deno.build.arch };
}

/**
 * Returns which instructions for vectors of 256 bits the CPU lacks, or null. Only Linux reports the CPU's instructions;
 * elsewhere the probe measures that it is not faster.
 *
 * @param cpuinfo text of `/proc/cpuinfo`; by default that of this machine
 */
export async function missingInstructions(
  arch: string = Deno.build.arch,
  cpuinfo?: string,
): Promise<string | null> {
  if (arch !== "x86_64") return `they need a CPU of the x86-64 architecture, and this one is ${arch}`;
  const text = cpuinfo ?? await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  const flags = /^flags\s*:(.*)$/m.exec(text)?.[1].split(" ");
  const missing = flags ? ["avx2", "fma"].filter((flag) => !flags.includes(flag)) : [];
  return missing.length === 0
    ? null
    : `the CPU has no ${missing.map((flag) => flag.toUpperCase()).join(" and no ")}`;
}
