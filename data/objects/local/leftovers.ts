/**
 * Removal of temporary files that killed processes left behind.
 *
 * @module
 */
import { join } from "node:path";
import { isMissing } from "./files.ts";

/**
 * Age at which an unlocked file belongs to an interrupted put, in milliseconds since its last write. A file is
 * locked while it is written, and published as soon as it is complete.
 */
const LEFTOVER_AGE_MS = 60_000;

/**
 * Removes the temporary files of interrupted puts. No process has a lock on such files.
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
      const lastWrite = stat?.isFile ? stat.mtime?.getTime() ?? Infinity : Infinity;
      if (now - lastWrite <= LEFTOVER_AGE_MS || await isLocked(path)) continue;
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
