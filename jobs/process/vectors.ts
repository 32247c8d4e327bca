/**
 * The width of the vectors that children compute with. A process that computes is started with V8's flags for 256 bits
 * where a probe has shown that the kernels are right and faster with them; any other child has no flags.
 *
 * @module
 */
import { VECTOR_FLAGS, type VectorBits, type VectorSetting } from "../../model/backends/simd/vectorFlags.ts";
import type { VectorProbe } from "../../model/backends/simd/vectorProbe.ts";
import { type ChildExit, ChildProcess } from "./child.ts";
import { machine, missingInstructions } from "./machine.ts";
import { readVectors, type Vectors, writeVectors } from "./vectorsFile.ts";

export type { Vectors };

/** 256 bits are required and cannot be used; the message is the reason. */
export class VectorsError extends Error {
  override readonly name = "VectorsError";
}

/** Minimum speedup for which `auto` selects 256 bits. */
const MIN_SPEEDUP = 1.05;
/** Time for the start of the probe's process and the probe, in milliseconds. */
const PROBE_MS = 20_000;

/** The decisions of this process by setting and file. */
const decisions = new Map<string, Promise<Vectors>>();

/**
 * Returns the width for this machine. The first call starts a child process that probes 256 bits; later calls, and
 * later processes with the same file, return the remembered result.
 *
 * @param file path of the file that remembers the result; null for none
 * @throws {VectorsError} for the setting `256` on a machine that cannot
 */
export function chooseVectors(setting: VectorSetting, file: string | null): Promise<Vectors> {
  const key = `${setting} ${file}`;
  const decision = decisions.get(key) ?? decide(setting, file);
  decisions.set(key, decision);
  return decision;
}

/** Returns V8's flags for a child that computes with vectors of a width. */
export function vectorFlags(bits: VectorBits): readonly string[] {
  return bits === 256 ? VECTOR_FLAGS : [];
}

/** Whether a child ended because V8 does not have one of its flags. */
export function isUnknownFlag({ code, lastOutput }: ChildExit): boolean {
  return code === 1 && lastOutput.some((line) => line.includes("V8 did not recognize flag"));
}

const NO_FLAGS = "this version of Deno has no flags for them";

/** The decision after {@linkcode isUnknownFlag}. */
export const UNKNOWN_FLAGS: Vectors = note(NO_FLAGS);

function note(reason: string): Vectors {
  return { bits: 128, note: `Vectors of 256 bits are not used: ${reason}` };
}

async function decide(setting: VectorSetting, file: string | null): Promise<Vectors> {
  if (setting === "128") return { bits: 128, note: null };
  const missing = await missingInstructions();
  const vectors = missing === null ? await probed(setting, file) : note(missing);
  if (setting === "256" && vectors.bits !== 256) throw new VectorsError(vectors.note!);
  return vectors;
}

/** Returns the remembered result of a probe, or that of a new one. The setting `256` does not compare speeds. */
async function probed(setting: "auto" | "256", file: string | null): Promise<Vectors> {
  const remembered = setting === "auto" && file !== null ? await readVectors(file, machine()) : null;
  if (remembered !== null) return remembered;
  const result = await probe();
  if ("crash" in result) return note(`their probe failed: ${result.crash}`);
  const { fault, speedup } = result;
  const isSlow = setting === "auto" && speedup < MIN_SPEEDUP;
  const vectors: Vectors = fault !== null
    ? note(fault)
    : isSlow
    ? note(`they are not faster on this machine (${speedup.toFixed(2)} times as fast)`)
    : { bits: 256, note: null };
  if (setting === "auto" && file !== null) await writeVectors(file, machine(), vectors);
  return vectors;
}

/** Probes 256 bits in a child with the flags. A crash is not remembered. */
async function probe(): Promise<VectorProbe | { readonly crash: string }> {
  const { promise, resolve } = Promise.withResolvers<VectorProbe>();
  const child = new ChildProcess<never, VectorProbe>(new URL("./vectorEntry.ts", import.meta.url), {
    v8Flags: VECTOR_FLAGS,
    message: resolve,
  });
  const timer = setTimeout(() => child.kill(), PROBE_MS);
  const result = await Promise.race([promise, child.exited]);
  clearTimeout(timer);
  await child.kill();
  if ("fault" in result) return result;
  if (isUnknownFlag(result)) return { fault: NO_FLAGS, speedup: 0 };
  return { crash: result.lastOutput.at(-1) ?? `it ended by ${result.signal ?? `exit code ${result.code}`}` };
}
