/**
 * The file that remembers the choice of vectors.
 *
 * @module
 */
import { dirname } from "node:path";
import { ulid } from "ulid";
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import type { Machine } from "./machine.ts";

/** The width for a machine. */
export interface Vectors {
  readonly bits: VectorBits;
  /** Why 256 bits cannot be used; null if they are used, or if the setting is 128. */
  readonly note: string | null;
}

/** Content of the file. */
type Remembered = Machine & Vectors;

/** Returns the choice for a machine; null if the file is missing or damaged, or holds that of another machine. */
export async function readVectors(file: string, machine: Machine): Promise<Vectors | null> {
  try {
    const { bits, note, ...rest }: Remembered = JSON.parse(await Deno.readTextFile(file));
    const isSame = Object.entries(machine).every(([name, value]) => rest[name as keyof Machine] === value);
    return isSame && (bits === 256 || bits === 128 && typeof note === "string") ? { bits, note } : null;
  } catch {
    return null;
  }
}

/** Writes the choice for a machine. A file that cannot be written is left out: the next process probes again. */
export async function writeVectors(file: string, machine: Machine, vectors: Vectors): Promise<void> {
  const content: Remembered = { ...machine, ...vectors };
  // Processes in several containers may have the same process id.
  const temporary = `${file}.${ulid()}`;
  try {
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(temporary, `${JSON.stringify(content)}\n`);
    await Deno.rename(temporary, file);
  } catch {
    await Deno.remove(temporary).catch(() => {});
  }
}
