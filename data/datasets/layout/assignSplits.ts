/**
 * Splits in the top folders of an archive.
 *
 * @module
 */
import { quoted } from "../archive/paths.ts";
import { DatasetError, type SplitName } from "../dataset.ts";
import { groupByFolder, type TreeFile } from "./folderTree.ts";
import { isGenericName, splitFolders, splitOf } from "./splitNames.ts";

/** Ways to read the top folders of an archive. */
export const FOLDER_MODES = ["auto", "splits", "classes"] as const;

/** One of {@linkcode FOLDER_MODES}. `auto` refuses folders that could be read in two ways. */
export type FolderMode = typeof FOLDER_MODES[number];

/** Names of folders for a message. */
export function quotedList(names: Iterable<string>): string {
  const all = [...names];
  return all.slice(0, 6).map(quoted).join(", ") + (all.length > 6 ? ` and ${all.length - 6} more` : "");
}

/** The images divided into splits by their folders. */
export interface SplitAssignment {
  readonly parts: readonly {
    readonly folder: string;
    readonly split: SplitName;
    readonly files: readonly TreeFile[];
  }[];
  readonly outside: readonly TreeFile[];
  /** Whether the parts are folders with names of splits. */
  readonly bySplits: boolean;
}

/**
 * Divides images into splits by the top folders.
 *
 * @param wrapper folders around all of them, for messages
 * @throws {DatasetError} for folders that could be read in two ways
 */
export function assignSplits(
  files: readonly TreeFile[],
  wrapper: string,
  reading: FolderMode,
  field: string,
): SplitAssignment {
  const folders = groupByFolder(files);
  const path = (name: string) => wrapper === "" ? name : `${wrapper}/${name}`;
  const { splits, families } = splitFolders(folders.keys());
  const one = {
    parts: [{ folder: wrapper || ".", split: "train" as const, files }],
    outside: [],
    bySplits: false,
  };
  if (reading === "classes") return one;
  if (families.length > 0) {
    throw new DatasetError(
      `has folders that are a class and a split at once (${
        quotedList(families)
      }): make it train/CLASS/… and ` +
        "test/CLASS/…, or send folders=classes to take each as a class",
      field,
    );
  }
  const bare = files.filter(({ rest }) => rest.length === 1);
  const others = [...folders.keys()].filter((name) => !splits.has(name));
  if (splits.size === 0 && reading === "splits") {
    throw new DatasetError(`has no folder that is named as a split, such as train or test`, field);
  }
  if (splits.size === 0) return one;
  if ((others.length > 0 || bare.length > 0) && reading === "auto") {
    const beside = others.length > 0
      ? `beside the folders ${quotedList(others.toSorted())}`
      : `and images outside of them (${quoted(bare[0].path)})`;
    throw new DatasetError(
      `has the splits ${
        quotedList([...splits.keys()].toSorted())
      } ${beside}, which can be read in two ways: send ` +
        "folders=splits to use the splits and leave the rest out, or folders=classes to take each folder as a class",
      field,
    );
  }
  const parts = [...splits].map(([name, split]) => ({
    split,
    ...withoutOwnName(path(name), name, folders.get(name)!),
  }));
  const outside = [...bare, ...others.flatMap((name) => folders.get(name)!)];
  return { parts: levelled(parts), outside, bySplits: true };
}

/** Reads `training_set/training_set/cat` as `training_set/cat`, because some archives name a split twice. */
function withoutOwnName(
  folder: string,
  name: string,
  files: readonly TreeFile[],
): { folder: string; files: readonly TreeFile[] } {
  const inner = groupByFolder(files);
  const [only] = inner.keys();
  const again = only !== undefined &&
    (only === name || splitOf(only) !== null && splitOf(only) === splitOf(name));
  if (inner.size !== 1 || !again || files.some(({ rest }) => rest.length === 1)) return { folder, files };
  return withoutOwnName(`${folder}/${only}`, name, inner.get(only)!);
}

/**
 * Removes a folder that every split has around all its classes, as in `train/images/cat` and `test/images/cat`. Also
 * removes a folder called `images` around images without classes, as in detection data sets.
 */
function levelled(parts: SplitAssignment["parts"]): SplitAssignment["parts"] {
  const first = parts[0].files[0].rest[0];
  // A folder that holds the images directly is a class, unless it has a name such as `images`.
  const least = isGenericName(first) ? 1 : 2;
  const wrapped = splitOf(first) === null &&
    parts.every(({ files }) => files.every(({ rest }) => rest.length > least && rest[0] === first));
  if (!wrapped) return parts;
  return levelled(parts.map((part) => ({
    ...part,
    folder: `${part.folder}/${first}`,
    files: part.files.map((file) => ({ ...file, rest: file.rest.slice(1) })),
  })));
}

/** @throws {DatasetError} for a split inside a class or inside another split */
export function checkNestedSplits({ parts, bySplits }: SplitAssignment, field: string): void {
  const asClass = bySplits ? "folders=splits to take it as a class, or " : "";
  for (const { files } of parts) {
    for (const { path, rest } of files) {
      const inner = rest.slice(0, -1).find((name) => splitOf(name) !== null);
      if (inner === undefined) continue;
      throw new DatasetError(
        `has the split ${quoted(inner)} inside of another folder (${
          quoted(path)
        }): put the splits at the top, as ` +
          `train/CLASS/… and test/CLASS/…, or send ${asClass}folders=classes to take every image below a ` +
          "folder as its class",
        field,
      );
    }
  }
}
