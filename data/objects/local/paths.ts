/**
 * Conversion between keys of objects and paths in a folder.
 *
 * The segments of a key are names of folders and of a file. A segment that is longer than file systems allow (255
 * bytes) continues in a subfolder whose parent is marked by `~`, which no key contains. On file systems without case
 * distinction, keys that differ only in case are one object.
 *
 * @module
 */
import { join } from "node:path";
import { isMissing } from "./files.ts";

/** Folder in the root folder where objects are written before they become visible. Its name is not a valid key. */
export const TEMP_FOLDER = "~aside";

/** Length at which a segment is divided. It leaves a margin below the 255 bytes of file systems. */
const MAX_NAME_LENGTH = 200;

/** Returns the path of a valid key. */
export function keyToPath(root: string, key: string): string {
  const names = key.split("/").map((segment) =>
    segment.replace(new RegExp(`(.{${MAX_NAME_LENGTH}})(?=.)`, "g"), "$1~/")
  );
  return join(root, ...names);
}

/** The inverse of {@linkcode keyToPath}. @param path relative to the root folder, separated by `/` */
function pathToKey(path: string): string {
  return path.replaceAll("~/", "");
}

/** Returns every key that begins with a prefix, sorted by code units. A missing root folder has no keys. */
export async function keysBelow(root: string, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  const visit = async (parent: string) => {
    try {
      for await (const entry of Deno.readDir(join(root, parent))) {
        const path = parent + entry.name;
        const key = pathToKey(entry.isDirectory ? path + "/" : path);
        if (entry.isDirectory) {
          const matches = key.startsWith(prefix) || prefix.startsWith(key);
          if (path !== TEMP_FOLDER && matches) await visit(path + "/");
        } else if (entry.isFile && key.startsWith(prefix)) {
          keys.push(key);
        }
      }
    } catch (error) {
      // A delete may remove an empty folder during the walk.
      if (!isMissing(error)) throw error;
    }
  };
  await visit("");
  return keys.sort();
}
