/**
 * Determines the split and the class of each image from the folders of an archive.
 *
 * @module
 */
import { yieldToEventLoop } from "../../eventLoop.ts";
import { quoted, quotedList } from "../quoted.ts";
import type { LayoutFolder, SplitName } from "../dataset.ts";
import { assignSplits, checkNestedSplits, type FolderMode } from "./assignSplits.ts";
import { findClasses, subfolderNotes } from "./classes.ts";
import { type DeduplicatedFiles, removeCopies } from "./copies.ts";
import { stripCommonFolders, type TreeFile } from "./folderTree.ts";

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
  /** Index into the class names; null if there are no classes. */
  readonly label: number | null;
}

/** The layout of an archive. */
export interface Layout {
  /** Ordered by path. */
  readonly images: readonly LabelledImage[];
  readonly classNames: readonly string[];
  /** The folders that were read as splits. */
  readonly folders: readonly LayoutFolder[];
  readonly skipped: readonly { readonly path: string; readonly reason: "copy" | "outside_splits" }[];
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/**
 * Interprets folders like `torchvision.datasets.ImageFolder`: `class/image`, or `train/class/image` and
 * `test/class/image`. Folders around all files are ignored, and so is a copy of the whole tree inside itself. Images
 * without a folder, or all in one folder, have no classes.
 *
 * @throws {DatasetError} with the field, for ambiguous folders, for images with and without a class in one archive, for
 * a class without a training image, and for too many classes
 */
export async function resolveLayout(
  images: readonly ArchivedImage[],
  mode: FolderMode,
  field: string,
): Promise<Layout> {
  // Half a million images take a second, so the steps yield to other requests.
  const all: TreeFile[] = [];
  for (const { path, digest } of images.toSorted(byPath)) {
    all.push({ path, digest, segments: path.split("/") });
    if (all.length % 1024 === 0) await yieldToEventLoop();
  }
  const { parent, kept, copies } = findTree(all, mode, field);
  await yieldToEventLoop();
  const splits = assignSplits(kept, parent, mode, field);
  await yieldToEventLoop();
  if (mode === "auto") checkNestedSplits(splits, field);
  await yieldToEventLoop();
  const splitImages = splits.folders.flatMap(({ split, files }) =>
    files.map(({ path, segments }) => ({ path, split, segments }))
  );
  await yieldToEventLoop();
  const classNames = findClasses(splitImages, field);
  const labels = new Map(classNames.map((name, label) => [name, label]));
  await yieldToEventLoop();
  const labelled = splitImages.map(({ path, split, segments }) => ({
    path,
    split,
    label: classNames.length === 0 ? null : labels.get(segments[0])!,
  }));
  await yieldToEventLoop();
  if (splits.folders.length > 1) labelled.sort(byPath);
  const skipped = [
    ...copies.map(({ path }) => ({ path, reason: "copy" as const })),
    ...splits.outside.map(({ path }) => ({ path, reason: "outside_splits" as const })),
  ];
  const folders = splits.folders.map(({ folder, split, files }) => ({ folder, split, count: files.length }));
  const subfolders = splits.named || mode !== "auto" ? [] : subfolderNotes(splitImages, field);
  return {
    images: labelled,
    classNames,
    folders,
    skipped,
    notes: [...layoutNotes(folders, classNames, parent), ...subfolders],
  };
}

/** Removes the folders around the tree and the copies of the tree inside itself. */
function findTree(
  all: readonly TreeFile[],
  mode: FolderMode,
  field: string,
): DeduplicatedFiles & { readonly parent: string } {
  const { parent, files } = stripCommonFolders(all, mode === "classes");
  if (mode === "classes") return { parent, kept: files, copies: [] };
  const { kept, copies } = removeCopies(files, field);
  if (copies.length === 0) return { parent, kept, copies };
  // The tree that was kept may now have a folder around it.
  const inner = stripCommonFolders(kept, false);
  return {
    parent: [parent, inner.parent].filter((path) => path !== "").join("/"),
    kept: inner.files,
    copies,
  };
}

/** Compares paths by UTF-16 code units. */
function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

function layoutNotes(
  folders: readonly LayoutFolder[],
  classNames: readonly string[],
  parent: string,
): string[] {
  const notes: string[] = [];
  const test = folders.filter(({ split }) => split === "test").map(({ folder }) => folder);
  if (test.length > 1) notes.push(`The folders ${quotedList(test)} are read as one split: test.`);
  if (classNames.length === 0 && parent !== "") {
    notes.push(`All images are in the folder ${quoted(parent)}: they have no classes.`);
  }
  if (classNames.length === 1) {
    notes.push(`There is only one class, ${quoted(classNames[0])}: a classifier needs at least two.`);
  }
  return notes;
}
