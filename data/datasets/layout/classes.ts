/**
 * The classes of images, which are the top folders in the splits.
 *
 * @module
 */
import { quoted, quotedList } from "../quoted.ts";
import { DatasetError, MAX_CLASSES, type SplitName } from "../dataset.ts";
import { isDirectChild } from "./folderTree.ts";
import { mayBeSplits } from "./splitNames.ts";

/** An image and its path relative to the folder of its split. */
export interface SplitImage {
  readonly path: string;
  readonly split: SplitName;
  readonly segments: readonly string[];
}

/**
 * Returns the sorted names of the classes. They are empty if no image is in a folder.
 *
 * @throws {DatasetError} for images with and without a class, for a class without a training image, for a data set
 * without a training image, and for too many classes
 */
export function findClasses(images: readonly SplitImage[], field: string): string[] {
  const unlabelled = images.find(isDirectChild), labelled = images.find((image) => !isDirectChild(image));
  if (unlabelled && labelled) {
    throw new DatasetError(
      `contains images in folders (${quoted(labelled.path)}) and outside of them (${
        quoted(unlabelled.path)
      }): ` +
        "put each image into the folder of its class, or all without folders",
      field,
    );
  }
  const training = images.filter(({ split }) => split === "train");
  if (images.length > 0 && training.length === 0) {
    throw new DatasetError("has test images, but no training images", field);
  }
  if (!labelled) return [];
  const names = new Set(images.map(({ segments }) => segments[0]));
  const trained = new Set(training.map(({ segments }) => segments[0]));
  if (names.size > MAX_CLASSES) {
    throw new DatasetError(`has ${names.size} classes (folders): at most ${MAX_CLASSES} are allowed`, field);
  }
  for (const name of names) {
    if (!trained.has(name)) {
      throw new DatasetError(`has no training image of the class ${quoted(name)}`, field);
    }
  }
  return [...names].sort();
}

/**
 * Creates a note about classes that all have subfolders of the same names: `fold_0/cat`, `fold_0/dog`, `fold_1/cat`,
 * `fold_1/dog`. They may be splits whose names are not recognised.
 *
 * @throws {DatasetError} if their names contain words for splits
 */
export function subfolderNotes(images: readonly SplitImage[], field: string): string[] {
  const subfolders = new Map<string, Set<string>>();
  for (const { segments } of images) {
    if (segments.length < 3) return [];
    const names = subfolders.get(segments[0]);
    if (names) names.add(segments[1]);
    else subfolders.set(segments[0], new Set([segments[1]]));
  }
  const [first, ...others] = subfolders.values();
  const areEqual = first?.size > 1 && others.length > 0 &&
    others.every((names) => names.size === first.size && [...names].every((name) => first.has(name)));
  if (!areEqual) return [];
  const classes = quotedList([...subfolders.keys()].sort()), inner = quotedList([...first].sort());
  if (mayBeSplits(subfolders.keys())) {
    throw new DatasetError(
      `has the folders ${classes}, which may be splits or classes: each contains folders of the same names ` +
        `(${inner}). Name the splits train and test, or send folders=classes to read each as a class`,
      field,
    );
  }
  return [
    `The folders ${classes} are the classes. Each of them contains folders of the same names (${inner}), which ` +
    "are not used: if those are the classes, name the folders above them as splits, such as train and test.",
  ];
}
