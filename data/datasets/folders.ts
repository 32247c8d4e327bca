/**
 * Trees of folders in archives: folders around everything, and copies of a tree inside of itself.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { shown } from "./archive/names.ts";
import { DatasetError } from "./dataset.ts";
import { splitFolders, splitOf } from "./splits.ts";

/** A file and where it lies below the folder that is looked at. */
export interface Filed {
  readonly path: string;
  /** Equal for equal content. */
  readonly digest: string;
  /** Folders below, and the file's name. */
  readonly rest: readonly string[];
}

/** Files by their first folder, without it; files that lie in no folder are left out. */
export function foldersOf(files: readonly Filed[]): Map<string, Filed[]> {
  const folders = new Map<string, Filed[]>();
  for (const file of files) {
    if (file.rest.length === 1) continue;
    const [name, ...rest] = file.rest;
    const own = folders.get(name);
    if (own) own.push({ ...file, rest });
    else folders.set(name, [{ ...file, rest }]);
  }
  return folders;
}

/** True where all folders at the top are splits: then a folder around them is no split itself. */
function isDivided(files: readonly Filed[]): boolean {
  const names = new Set(files.map(({ rest }) => rest.length > 1 ? rest[0] : null));
  return [...names].every((name) => name !== null && splitOf(name) !== null);
}

/**
 * Takes off the folders that lie around all files.
 *
 * @param splitsToo whether a folder named as a split is taken off too
 */
export function withoutWrappers(
  files: readonly Filed[],
  splitsToo: boolean,
): { wrapper: string; files: readonly Filed[] } {
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

/** What a folder holds where that is the tree around it: the files below the folders of the same names. */
function treeWithin(
  name: string,
  inside: readonly Filed[],
  around: ReadonlyMap<string, unknown>,
): readonly Filed[] {
  const inner = foldersOf(inside);
  if (inner.size === 0 || inside.some(({ rest }) => rest.length === 1)) return [];
  if ([...inner.keys()].every((other) => other !== name && around.has(other))) return inside;
  return inner.size === 1 ? treeWithin(name, [...inner.values()][0], around) : [];
}

/** Whether every folder at the top holds the same tree of folders: the archive is some copies of one data set. */
function areCopies(files: readonly Filed[], folders: ReadonlyMap<string, readonly Filed[]>): boolean {
  if (folders.size < 2 || files.some(({ rest }) => rest.length < 3)) return false;
  if (splitFolders(folders.keys()).splits.size > 0) return false;
  const trees = new Set<string>();
  for (const inside of folders.values()) {
    // Classes may share images, but hardly the same folders of them.
    if (foldersOf(withoutWrappers(inside, false).files).size < 2) return false;
    const hash = createHash("sha256");
    for (const { rest, digest } of inside) hash.update(`${rest.join("/")}\n${digest}\n`);
    trees.add(hash.digest("hex"));
  }
  return trees.size === 1;
}

/**
 * Leaves out a folder that holds the whole tree again, as an archive has it that was packed together with what had
 * been unpacked from it.
 *
 * @throws {DatasetError} for a folder that holds some of the tree again, or other files in its place
 */
export function withoutCopies(
  files: readonly Filed[],
  field: string,
): { kept: readonly Filed[]; copies: readonly Filed[] } {
  const folders = foldersOf(files);
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
        `has folders of the same names in ${shown(name)} and beside it, but other files in them (${
          shown(other.path)
        }): leave one of the two out, or send folders=classes to take each as a class`,
        field,
      );
    }
    const again = withoutCopies(kept, field);
    return { kept: again.kept, copies: [...inside, ...again.copies] };
  }
  return { kept: files, copies: [] };
}
