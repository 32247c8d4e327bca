/**
 * Files grouped by their folders.
 *
 * @module
 */
import { splitOfName } from "./splitNames.ts";

/** A file, with its path relative to the folder that is being examined. */
export interface TreeFile {
  /** Path in the archive. */
  readonly path: string;
  /** Equal for equal content. */
  readonly digest: string;
  /** Relative path: the names of folders and the name of the file. */
  readonly segments: readonly string[];
}

/** Whether a file is not in a subfolder of the examined folder. */
export function isDirectChild({ segments }: { readonly segments: readonly string[] }): boolean {
  return segments.length === 1;
}

/** Groups files by their first folder, which becomes the examined folder. Direct children are left out. */
export function groupByFolder(files: readonly TreeFile[]): Map<string, TreeFile[]> {
  const folders = new Map<string, TreeFile[]>();
  for (const file of files) {
    if (isDirectChild(file)) continue;
    const [name, ...segments] = file.segments;
    const group = folders.get(name);
    if (group) group.push({ ...file, segments });
    else folders.set(name, [{ ...file, segments }]);
  }
  return folders;
}

/** Whether all files are in folders with names of splits. A folder around them is then not a split. */
function areAllInSplits(files: readonly TreeFile[]): boolean {
  const names = new Set(files.map((file) => isDirectChild(file) ? null : file.segments[0]));
  return [...names].every((name) => name !== null && splitOfName(name) !== null);
}

/** Files without the folders that contain all of them. */
export interface StrippedTree {
  /** Path of the removed folders; empty if there are none. */
  readonly parent: string;
  readonly files: readonly TreeFile[];
}

/**
 * Removes the folders that contain all files from the relative paths.
 *
 * @param stripSplits whether a folder with the name of a split is removed too
 */
export function stripCommonFolders(files: readonly TreeFile[], stripSplits: boolean): StrippedTree {
  if (files.length === 0) return { parent: "", files };
  const [{ segments: first }] = files;
  let commonFolders = first.length - 1;
  for (const { segments } of files) {
    commonFolders = Math.min(commonFolders, segments.length - 1);
    for (let i = 0; i < commonFolders; i++) if (segments[i] !== first[i]) commonFolders = i;
  }
  const strip = (depth: number) =>
    depth === 0 ? files : files.map((file) => ({ ...file, segments: file.segments.slice(depth) }));
  let depth = 0;
  while (depth < commonFolders) {
    if (splitOfName(first[depth]) !== null && !stripSplits && !areAllInSplits(strip(depth + 1))) break;
    depth++;
  }
  return { parent: first.slice(0, depth).join("/"), files: strip(depth) };
}
