/**
 * Programs that tests build from source, cached outside the repository.
 *
 * @module
 */
import { join } from "node:path";
import { unavailable } from "./unavailable.ts";

/** Folder of the cache. */
export const CACHE = join(Deno.env.get("HOME") ?? Deno.cwd(), ".cache", "unmask-test");

/** A program and the command that installs it into `bin/` of the cache. */
export interface CachedProgram {
  readonly name: string;
  /** Environment variable with the path of an installed program. */
  readonly variable: string;
  /** Package manager, such as `go`. */
  readonly installer: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Finds a program: the path in the variable, or the cached program, which is installed if necessary. Returns null when
 * it is unavailable; see {@linkcode unavailable}.
 */
export async function findProgram(program: CachedProgram): Promise<string | null> {
  const { name, variable, installer, args, env } = program;
  const path = Deno.env.get(variable);
  if (path) return path;
  const cached = join(CACHE, "bin", name);
  if (await Deno.stat(cached).then(() => true, () => false)) return cached;
  try {
    console.log(`Installing ${name} into ${CACHE} (this takes some minutes)`);
    const { success, stderr } = await new Deno.Command(installer, { args: [...args], env, stdout: "null" })
      .output();
    if (!success) return unavailable(name, new TextDecoder().decode(stderr).trim().slice(-2000));
  } catch (error) {
    return unavailable(name, `${installer} is not installed (${(error as Error).message})`);
  }
  return cached;
}
