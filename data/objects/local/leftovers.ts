/**
 * Files of puts that never ended, in the folder where a put writes before it publishes the object.
 *
 * @module
 */
import { join } from "node:path";
import { isMissing } from "./paths.ts";

/**
 * How long after its last write an unlocked file counts as left by a put that never ended, in milliseconds. A file is
 * locked while it is written, and published as soon as it is whole.
 */
const LEFTOVER_AGE = 60_000;

/**
 * Removes the files of puts that never ended. No process has a lock on such files.
 *
 * @param folder folder to sweep; a missing folder counts as empty
 * @param now milliseconds since 1970
 * @returns number of files removed
 */
export async function sweepLeftovers(folder: string, now: number): Promise<number> {
  let removed = 0;
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const path = join(folder, name);
      const stat = await Deno.stat(path).catch((error) => {
        if (isMissing(error)) return null;
        throw error;
      });
      const written = stat?.isFile ? stat.mtime?.getTime() ?? Infinity : Infinity;
      if (now - written <= LEFTOVER_AGE || await isLocked(path)) continue;
      await Deno.remove(path).then(() => removed++, () => {});
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return removed;
}

/** Whether a process may be writing the file. */
async function isLocked(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(path, { write: true });
    return !await file.tryLock(true);
  } catch {
    return true;
  }
}
