/**
 * The free space of file systems.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";

/** Returns the free bytes of the file system of a folder. If the folder does not exist, its parent counts. */
export async function freeBytesOf(path: string): Promise<number> {
  for (let folder = path;; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT" || folder === dirname(folder)) throw error;
    }
  }
}
