/**
 * Folder trees in archives: folders around all files, and copies of a tree inside itself.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { quoted } from "../archive/paths.ts";
import { DatasetError } from "../dataset.ts";
import { splitFolders, splitOf } from "./splitNames.ts";

/** A file and its path below the folder in question. */
export interface TreeFile {
  readonly path: string;
  /** Equal for equal content. */
  readonly digest: string;
  /** Folders below it, and the file's name. */
  readonly rest: readonly string[];
}

/** Groups files by their first folder and removes it from their paths. Files outside folders are left out. */
export function groupByFolder(files: readonly TreeFile[]): Map<string, TreeFile[]> {
  const folders = new Map<string, TreeFile[]>();
  for (const file of files) {
    if (file.rest.length === 1) continue;
    const [name, ...rest] = file.rest;
    const own = folders.get(name);
    if (own) own.push({ ...file, rest });
    else folders.set(name, [{ ...file, rest }]);
  }
  return folders;
}

/** True when all top folders are splits. A folder around them is then not a split. */
function isDivided(files: readonly TreeFile[]): boolean {
  const names = new Set(files.map(({ rest }) => rest.length > 1 ? rest[0] : null));
  return [...names].every((name) => name !== null && splitOf(name) !== null);
}

/**
 * Removes the folders that contain all files from the paths.
 *
 * @param splitsToo whether a folder named as a split is removed too
 */
export function stripCommonFolders(
  files: readonly TreeFile[],
  splitsToo: boolean,
): { wrapper: string; files: readonly TreeFile[] } {
  if (files.length === 0) return { wrapper: "", files };
  const [{ rest: first }] = files;
  let around = first.length - 1;
  for (const { rest } of files) {
    around = Math.min(around, rest.length - 1);
    for (let at = 0; at < around; at++) if (rest[at] !== first[at]) around = at;
  }
  const below = (depth: number) =>
    depth === 0 ? files : files.map((file) => ({ ...file, rest: file.rest.slice(depth) }));
  let depth = 0;
  while (depth < around) {
    if (splitOf(first[depth]) !== null && !splitsToo && !isDivided(below(depth + 1))) break;
    depth++;
  }
  return { wrapper: first.slice(0, depth).join("/"), files: below(depth) };
}

/** The files of a folder below folders that also exist in the tree around it. */
function treeWithin(
  name: string,
  inside: readonly TreeFile[],
  around: ReadonlyMap<string, unknown>,
): readonly TreeFile[] {
  const inner = groupByFolder(inside);
  if (inner.size === 0 || inside.some(({ rest }) => rest.length === 1)) return [];
  if ([...inner.keys()].every((other) => other !== name && around.has(other))) return inside;
  return inner.size === 1 ? treeWithin(name, [...inner.values()][0], around) : [];
}

/** Whether every top folder holds the same folder tree, so that the archive consists of copies of one data set. */
function areCopies(files: readonly TreeFile[], folders: ReadonlyMap<string, readonly TreeFile[]>): boolean {
  if (folders.size < 2 || files.some(({ rest }) => rest.length < 3)) return false;
  if (splitFolders(folders.keys()).splits.size > 0) return false;
  const trees = new Set<string>();
  for (const inside of folders.values()) {
    // Classes may share images, but it is unlikely that they have equal folders of images.
    if (groupByFolder(stripCommonFolders(inside, false).files).size < 2) return false;
    const hash = createHash("sha256");
    for (const { rest, digest } of inside) hash.update(`${rest.join("/")}\n${digest}\n`);
    trees.add(hash.digest("hex"));
  }
  return trees.size === 1;
}

/**
 * Leaves out a folder that holds a copy of the whole tree. This happens when a folder is packed again together with an
 * unpacked copy of itself.
 *
 * @throws {DatasetError} for a folder with a partial copy of the tree, or with other files under the same paths
 */
export function removeCopies(
  files: readonly TreeFile[],
  field: string,
): { kept: readonly TreeFile[]; copies: readonly TreeFile[] } {
  const folders = groupByFolder(files);
  if (areCopies(files, folders)) {
    const [first] = folders.keys();
    const kept = files.filter(({ rest }) => rest[0] === first);
    return { kept, copies: files.filter(({ rest }) => rest[0] !== first) };
  }
  for (const [name, inside] of folders) {
    const inner = treeWithin(name, inside, folders);
    if (inner.length === 0) continue;
    const kept = files.filter(({ rest }) => rest.length === 1 || rest[0] !== name);
    const outer = new Map(kept.map(({ rest, digest }) => [rest.join("/"), digest]));
    const other = inner.find(({ rest, digest }) => outer.get(rest.join("/")) !== digest);
    if (other) {
      throw new DatasetError(
        `has folders of the same names in ${quoted(name)} and beside it, but other files in them (${
          quoted(other.path)
        }): leave one of the two out, or send folders=classes to take each as a class`,
        field,
      );
    }
    const again = removeCopies(kept, field);
    return { kept: again.kept, copies: [...inside, ...again.copies] };
  }
  return { kept: files, copies: [] };
}
