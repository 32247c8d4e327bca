/**
 * File system operations of the local object store.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Bytes } from "../../bytes.ts";
import { checkChunk } from "../parts.ts";

/** Whether an error means that a path does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

/** Returns the properties of a file, or null if there is no file at the path. */
export async function statFile(path: string): Promise<Deno.FileInfo | null> {
  try {
    const stat = await Deno.stat(path);
    return stat.isFile ? stat : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Writes a whole chunk. @throws {TypeError} unless the chunk is a `Uint8Array` */
export async function writeAll(file: Deno.FsFile, chunk: Bytes): Promise<void> {
  checkChunk(chunk);
  for (let offset = 0; offset < chunk.length;) offset += await file.write(chunk.subarray(offset));
}

/** Syncs the entries of a folder to the disk, so that a rename in it survives a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return; // Folders cannot be opened on Windows.
  using handle = await Deno.open(folder);
  await handle.sync();
}

/** Removes a folder and its parents below `root` while they are empty. */
export async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let path = folder; path.length > root.length; path = dirname(path)) {
    try {
      await Deno.remove(path);
    } catch {
      return; // usually because the folder is not empty
    }
  }
}
