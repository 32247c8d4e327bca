/**
 * The meaning of the folders of an archive: the split and the class of each image.
 *
 * @module
 */
import { quoted } from "../archive/paths.ts";
import { DatasetError, type LayoutFolder, type SplitName } from "../dataset.ts";
import { assignSplits, checkNestedSplits, type FolderMode, quotedList } from "./assignSplits.ts";
import { removeCopies, stripCommonFolders, type TreeFile } from "./folderTree.ts";
import { resembleSplits } from "./splitNames.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";

/** Most classes of a data set. */
export const MAX_CLASSES = 4096;

/** An image of an archive. */
export interface ArchivedImage {
  readonly path: string;
  /** Equal for equal content. */
  readonly digest: string;
}

/** The split and class of an image. */
export interface LabelledImage {
  readonly path: string;
  readonly split: SplitName;
  /** Index into the class names; null when the images have no classes. */
  readonly label: number | null;
}

/** The layout of a whole archive, with `images` in the order of their paths. */
export interface Layout {
  readonly images: readonly LabelledImage[];
  readonly classNames: readonly string[];
  /** The folders that were read as splits. */
  readonly folders: readonly LayoutFolder[];
  /** Images that were passed over, and why. */
  readonly passedOver: readonly { readonly path: string; readonly reason: "copy" | "outside_splits" }[];
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/**
 * Reads folders as `torchvision.datasets.ImageFolder` does: `class/image`, or `train/class/image` and
 * `test/class/image`. Folders around all files are ignored, and so is a copy of the whole tree inside itself. Images
 * without a folder, or all in one folder, have no classes.
 *
 * @throws {DatasetError} naming the field, for folders that could be read in two ways, for images with and without a
 * class in one archive, for a class without a training image, and for too many classes
 */
export async function resolveLayout(
  images: readonly ArchivedImage[],
  reading: FolderMode,
  field: string,
): Promise<Layout> {
  // Half a million images take a second. Other requests are served between the steps.
  const all: TreeFile[] = [];
  for (const { path, digest } of images.toSorted(byPath)) {
    all.push({ path, digest, rest: path.split("/") });
    if (all.length % 1024 === 0) await yieldToEventLoop();
  }
  const { wrapper, kept, copies } = trunk(all, reading, field);
  await yieldToEventLoop();
  const found = assignSplits(kept, wrapper, reading, field);
  await yieldToEventLoop();
  if (reading === "auto") checkNestedSplits(found, field);
  await yieldToEventLoop();
  const placed = found.parts.flatMap(({ split, files }) =>
    files.map(({ path, rest }) => ({ path, split, rest }))
  );
  await yieldToEventLoop();
  const classNames = classesOf(placed, field);
  const labels = new Map(classNames.map((name, label) => [name, label]));
  await yieldToEventLoop();
  const ordered = placed.map(({ path, split, rest }) => ({
    path,
    split,
    label: classNames.length === 0 ? null : labels.get(rest[0])!,
  }));
  await yieldToEventLoop();
  if (found.parts.length > 1) ordered.sort(byPath);
  const passedOver = [
    ...copies.map(({ path }) => ({ path, reason: "copy" as const })),
    ...found.outside.map(({ path }) => ({ path, reason: "outside_splits" as const })),
  ];
  const folders = found.parts.map(({ folder, split, files }) => ({ folder, split, count: files.length }));
  const inner = found.bySplits || reading !== "auto" ? [] : innerNotes(placed, field);
  return {
    images: ordered,
    classNames,
    folders,
    passedOver,
    notes: [...notesOn(folders, classNames, wrapper), ...inner],
  };
}

/** Removes the folders around the tree, and copies of the tree inside itself. */
function trunk(
  all: readonly TreeFile[],
  reading: FolderMode,
  field: string,
): { wrapper: string; kept: readonly TreeFile[]; copies: readonly TreeFile[] } {
  const { wrapper, files } = stripCommonFolders(all, reading === "classes");
  if (reading === "classes") return { wrapper, kept: files, copies: [] };
  const { kept, copies } = removeCopies(files, field);
  if (copies.length === 0) return { wrapper, kept, copies };
  // If one of several copies was kept, it now has a folder around it.
  const inner = stripCommonFolders(kept, false);
  return {
    wrapper: [wrapper, inner.wrapper].filter((part) => part !== "").join("/"),
    kept: inner.files,
    copies,
  };
}

/** Compares paths by UTF-16 code units. */
function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

type Unlabelled = { readonly path: string; readonly split: SplitName; readonly rest: readonly string[] };

/** @throws {DatasetError} @returns the names of the classes in order; empty without classes */
function classesOf(placed: readonly Unlabelled[], field: string): string[] {
  const bare = placed.find(({ rest }) => rest.length === 1);
  const filed = placed.find(({ rest }) => rest.length > 1);
  if (bare && filed) {
    throw new DatasetError(
      `holds images in folders (${quoted(filed.path)}) and outside of them (${quoted(bare.path)}): ` +
        "put each image into the folder of its class, or all without folders",
      field,
    );
  }
  const names = (some: readonly Unlabelled[]) => new Set(filed ? some.map(({ rest }) => rest[0]) : []);
  const training = placed.filter(({ split }) => split === "train");
  if (placed.length > 0 && training.length === 0) {
    throw new DatasetError("has images to measure on, but none to train on", field);
  }
  const every = names(placed), trained = names(training);
  if (every.size > MAX_CLASSES) {
    throw new DatasetError(`has ${every.size} classes (folders), at most ${MAX_CLASSES} are taken`, field);
  }
  for (const name of every) {
    if (!trained.has(name)) {
      throw new DatasetError(`has no training image of the class ${quoted(name)}`, field);
    }
  }
  return [...every].sort();
}

function notesOn(
  folders: readonly LayoutFolder[],
  classNames: readonly string[],
  wrapper: string,
): string[] {
  const notes: string[] = [];
  const test = folders.filter(({ split }) => split === "test").map(({ folder }) => folder);
  if (test.length > 1) notes.push(`The folders ${quotedList(test)} are read as one split: test.`);
  if (classNames.length === 0 && wrapper !== "") {
    notes.push(`All images lie in the folder ${quoted(wrapper)}: they have no classes.`);
  }
  if (classNames.length === 1) {
    notes.push(`There is only one class, ${quoted(classNames[0])}: a classifier needs at least two.`);
  }
  return notes;
}

/**
 * A note about classes that all hold folders of the same names: `fold_0/cat`, `fold_0/dog`, `fold_1/cat`, `fold_1/dog`.
 * They may be parts of a data set with names that are not recognised as splits.
 *
 * @throws {DatasetError} when their names hint at splits
 */
function innerNotes(placed: readonly Unlabelled[], field: string): string[] {
  const classes = new Map<string, Set<string>>();
  for (const { rest } of placed) {
    if (rest.length < 3) return [];
    const inner = classes.get(rest[0]);
    if (inner) inner.add(rest[1]);
    else classes.set(rest[0], new Set([rest[1]]));
  }
  const [first, ...others] = classes.values();
  const alike = first?.size > 1 && others.length > 0 &&
    others.every((inner) => inner.size === first.size && [...inner].every((name) => first.has(name)));
  if (!alike) return [];
  if (resembleSplits(classes.keys())) {
    throw new DatasetError(
      `has the folders ${
        quotedList([...classes.keys()].sort())
      }, which may be splits or classes: each holds folders of ` +
        `the same names (${
          quotedList([...first].sort())
        }). Name the splits train and test, or send folders=classes to ` +
        "take each as a class",
      field,
    );
  }
  return [
    `The folders ${
      quotedList([...classes.keys()].sort())
    } are the classes. Each of them holds folders of the same names ` +
    `(${
      quotedList([...first].sort())
    }), which are not used: if those are the classes, name the folders above them as ` +
    "splits, such as train and test.",
  ];
}
