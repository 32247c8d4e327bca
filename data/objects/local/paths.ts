/**
 * Where an object lies in a folder, and which object lies there.
 *
 * A key's segments are folder and file names, so that people find their files. A segment longer than file systems
 * take (255 bytes) goes on in a folder below, marked by `~`, which no key contains. On file systems that do not
 * tell upper from lower case, keys that differ in nothing else are one object.
 *
 * @module
 */
import { join } from "node:path";

/** Folder inside the store where objects are written before they become visible. Its name is no key. */
export const ASIDE = "~aside";

const LONGEST_NAME = 200;

/** The path of a checked key below the store's folder. */
export function keyToPath(root: string, key: string): string {
  const names = key.split("/").map((segment) =>
    segment.replace(new RegExp(`(.{${LONGEST_NAME}})(?=.)`, "g"), "$1~/")
  );
  return join(root, ...names);
}

/** The key of a path relative to the store's folder, its names joined by `/`; the reverse of `keyToPath`. */
export function pathToKey(path: string): string {
  return path.replaceAll("~/", "");
}

/**
 * Every key below a folder that begins with a prefix, sorted by code units.
 *
 * @param root the store's folder; a missing one has no keys
 */
export async function keysBelow(root: string, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  const visit = async (below: string) => {
    try {
      for await (const entry of Deno.readDir(join(root, below))) {
        const path = below + entry.name;
        const key = pathToKey(entry.isDirectory ? path + "/" : path);
        if (entry.isDirectory) {
          if (path !== ASIDE && (key.startsWith(prefix) || prefix.startsWith(key))) await visit(path + "/");
        } else if (entry.isFile && key.startsWith(prefix)) {
          keys.push(key);
        }
      }
    } catch (error) {
      // Folders without objects are removed by deletes, also while we walk.
      if (!isMissing(error)) throw error;
    }
  };
  await visit("");
  return keys.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Whether an error says that there is nothing at a path. */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}
