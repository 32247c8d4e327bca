/**
 * Assigns images to splits by the top folders of an archive.
 *
 * @module
 */
import { quoted, quotedList } from "../quoted.ts";
import { DatasetError, type SplitName } from "../dataset.ts";
import { groupByFolder, isDirectChild, type TreeFile } from "./folderTree.ts";
import { findSplitFolders, isGenericName, splitOfName } from "./splitNames.ts";

/** Ways to interpret the top folders of an archive. */
export const FOLDER_MODES = ["auto", "splits", "classes"] as const;

/** One of {@linkcode FOLDER_MODES}. `auto` refuses folders that are ambiguous. */
export type FolderMode = typeof FOLDER_MODES[number];

/** A folder and the split of its images. */
export interface SplitFolder {
  /** Path in the archive; `.` for the whole archive. */
  readonly folder: string;
  readonly split: SplitName;
  readonly files: readonly TreeFile[];
}

/** The splits of an archive. */
export interface SplitAssignment {
  readonly folders: readonly SplitFolder[];
  /** Files outside of the splits. */
  readonly outside: readonly TreeFile[];
  /** Whether the folders have the names of splits. Otherwise all images are in the training split. */
  readonly named: boolean;
}

/**
 * Assigns images to splits by their top folders.
 *
 * @param parent path of the folders around all files, for messages
 * @throws {DatasetError} for ambiguous folders
 */
export function assignSplits(
  files: readonly TreeFile[],
  parent: string,
  mode: FolderMode,
  field: string,
): SplitAssignment {
  const tree = groupByFolder(files);
  const { splits, classSplits } = findSplitFolders(tree.keys());
  const trainOnly: SplitAssignment = {
    folders: [{ folder: parent || ".", split: "train", files }],
    outside: [],
    named: false,
  };
  if (mode === "classes") return trainOnly;
  if (classSplits.length > 0) {
    throw new DatasetError(
      `has folders that are both a class and a split (${
        quotedList(classSplits)
      }): arrange it as train/CLASS/… ` +
        "and test/CLASS/…, or send folders=classes to read each as a class",
      field,
    );
  }
  if (splits.size === 0 && mode === "splits") {
    throw new DatasetError(`has no folder with the name of a split, such as train or test`, field);
  }
  if (splits.size === 0) return trainOnly;
  const direct = files.filter(isDirectChild);
  const others = [...tree.keys()].filter((name) => !splits.has(name));
  if ((others.length > 0 || direct.length > 0) && mode === "auto") {
    const rest = others.length > 0
      ? `beside the folders ${quotedList(others.toSorted())}`
      : `and images outside of them (${quoted(direct[0].path)})`;
    throw new DatasetError(
      `has the splits ${quotedList([...splits.keys()].toSorted())} ${rest}, which is ambiguous: send ` +
        "folders=splits to use the splits and skip the rest, or folders=classes to read each folder as a class",
      field,
    );
  }
  const folders = [...splits].map(([name, split]) => ({
    split,
    ...stripRepeatedSplit(parent === "" ? name : `${parent}/${name}`, name, tree.get(name)!),
  }));
  const outside = [...direct, ...others.flatMap((name) => tree.get(name)!)];
  return { folders: stripSharedFolder(folders), outside, named: true };
}

/** Reads `training_set/training_set/cat` as `training_set/cat`, because some archives name a split twice. */
function stripRepeatedSplit(
  folder: string,
  name: string,
  files: readonly TreeFile[],
): { folder: string; files: readonly TreeFile[] } {
  const inner = groupByFolder(files);
  const [only] = inner.keys();
  const isRepeated = only !== undefined &&
    (only === name || splitOfName(only) !== null && splitOfName(only) === splitOfName(name));
  if (inner.size !== 1 || !isRepeated || files.some(isDirectChild)) return { folder, files };
  return stripRepeatedSplit(`${folder}/${only}`, name, inner.get(only)!);
}

/**
 * Removes a folder that every split has around all its classes, as in `train/images/cat` and `test/images/cat`. Also
 * removes a folder called `images` around images without classes, as in detection data sets.
 */
function stripSharedFolder(folders: readonly SplitFolder[]): readonly SplitFolder[] {
  const first = folders[0].files[0].segments[0];
  // A folder that contains the images directly is a class, unless it has a name such as `images`.
  const minDepth = isGenericName(first) ? 1 : 2;
  const isShared = splitOfName(first) === null &&
    folders.every(({ files }) =>
      files.every(({ segments }) => segments.length > minDepth && segments[0] === first)
    );
  if (!isShared) return folders;
  return stripSharedFolder(folders.map((folder) => ({
    ...folder,
    folder: `${folder.folder}/${first}`,
    files: folder.files.map((file) => ({ ...file, segments: file.segments.slice(1) })),
  })));
}

/** @throws {DatasetError} for a split inside a class or inside another split */
export function checkNestedSplits({ folders, named }: SplitAssignment, field: string): void {
  const splitsOption = named ? "folders=splits to read it as a class, or " : "";
  for (const { files } of folders) {
    for (const { path, segments } of files) {
      const nested = segments.slice(0, -1).find((name) => splitOfName(name) !== null);
      if (nested === undefined) continue;
      throw new DatasetError(
        `has the split ${quoted(nested)} inside another folder (${quoted(path)}): put the splits at the ` +
          `top, as train/CLASS/… and test/CLASS/…, or send ${splitsOption}folders=classes to use the top ` +
          "folder of every image as its class",
        field,
      );
    }
  }
}
