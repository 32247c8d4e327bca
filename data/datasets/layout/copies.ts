/**
 * Removes copies of a folder tree. They occur if an archive is made from a folder that contains a copy of itself.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { quoted } from "../quoted.ts";
import { DatasetError } from "../dataset.ts";
import { groupByFolder, isDirectChild, stripCommonFolders, type TreeFile } from "./folderTree.ts";
import { findSplitFolders } from "./splitNames.ts";

/** The files of one tree, and the files of its copies. */
export interface DeduplicatedFiles {
  readonly kept: readonly TreeFile[];
  readonly copies: readonly TreeFile[];
}

/**
 * Separates a folder tree from its copies.
 *
 * @throws {DatasetError} for a folder with a partial copy of the tree, or with other files under the same paths
 */
export function removeCopies(files: readonly TreeFile[], field: string): DeduplicatedFiles {
  const folders = groupByFolder(files);
  if (areCopies(files, folders)) {
    const [first] = folders.keys();
    const isKept = ({ segments }: TreeFile) => segments[0] === first;
    return { kept: files.filter(isKept), copies: files.filter((file) => !isKept(file)) };
  }
  for (const [name, inside] of folders) {
    const inner = findTreeInside(name, inside, folders);
    if (inner.length === 0) continue;
    const kept = files.filter((file) => isDirectChild(file) || file.segments[0] !== name);
    const digests = new Map(kept.map(({ segments, digest }) => [segments.join("/"), digest]));
    const different = inner.find(({ segments, digest }) => digests.get(segments.join("/")) !== digest);
    if (different) {
      throw new DatasetError(
        `has folders of the same names in ${quoted(name)} and beside it, but different files in them (` +
          `${
            quoted(different.path)
          }): remove one of the two, or send folders=classes to read each as a class`,
        field,
      );
    }
    const rest = removeCopies(kept, field);
    return { kept: rest.kept, copies: [...inside, ...rest.copies] };
  }
  return { kept: files, copies: [] };
}

/** Whether every top folder contains the same folder tree, so that the archive consists of copies of one data set. */
function areCopies(
  files: readonly TreeFile[],
  folders: ReadonlyMap<string, readonly TreeFile[]>,
): boolean {
  if (folders.size < 2 || files.some(({ segments }) => segments.length < 3)) return false;
  if (findSplitFolders(folders.keys()).splits.size > 0) return false;
  const trees = new Set<string>();
  for (const inside of folders.values()) {
    // Classes may share images, but they are unlikely to have equal folders of images.
    if (groupByFolder(stripCommonFolders(inside, false).files).size < 2) return false;
    const hash = createHash("sha256");
    for (const { segments, digest } of inside) hash.update(`${segments.join("/")}\n${digest}\n`);
    trees.add(hash.digest("hex"));
  }
  return trees.size === 1;
}

/** Returns the files of a folder whose subfolders also exist beside the folder. Returns none for another folder. */
function findTreeInside(
  name: string,
  inside: readonly TreeFile[],
  siblings: ReadonlyMap<string, unknown>,
): readonly TreeFile[] {
  const inner = groupByFolder(inside);
  if (inner.size === 0 || inside.some(isDirectChild)) return [];
  if ([...inner.keys()].every((folder) => folder !== name && siblings.has(folder))) return inside;
  return inner.size === 1 ? findTreeInside(name, [...inner.values()][0], siblings) : [];
}
