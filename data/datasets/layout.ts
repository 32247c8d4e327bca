/**
 * What the folders of an archive say: which pictures are for training, which to measure on, and their classes.
 *
 * @module
 */
import { shown } from "./archive.ts";
import { DatasetError, type SplitName } from "./dataset.ts";

/** Most classes of a data set. */
export const MOST_CLASSES = 4096;

/** A picture's place. */
export interface Placed {
  readonly path: string;
  readonly split: SplitName;
  /** Index into the class names; null when the pictures have no classes. */
  readonly label: number | null;
}

/** The whole archive's layout; `pictures` in the order of their paths. */
export interface Layout {
  readonly pictures: readonly Placed[];
  readonly classNames: readonly string[];
}

const SPLITS: Readonly<Record<string, SplitName>> = {
  train: "train",
  training: "train",
  test: "test",
  testing: "test",
  val: "test",
  valid: "test",
  validation: "test",
};

/**
 * Reads folders as `torchvision.datasets.ImageFolder` does: `class/picture`, or `train/class/picture` and
 * `test/class/picture` (`val` and `validation` mean the same). Folders around everything are passed over; pictures
 * without a folder, or all in one, have no classes.
 *
 * @throws {DatasetError} naming the field, for pictures both with and without a class, for a class that has no
 * picture to train on, and for too many classes
 */
export function layoutOf(paths: readonly string[], field: string): Layout {
  let parts = paths.toSorted().map((path) => ({ path, rest: path.split("/") }));
  const isSplit = (name: string) => Object.hasOwn(SPLITS, name.toLowerCase());
  while (parts.length > 0 && parts.every(({ rest }) => rest.length > 1 && rest[0] === parts[0].rest[0])) {
    if (isSplit(parts[0].rest[0])) break;
    parts = parts.map(({ path, rest }) => ({ path, rest: rest.slice(1) }));
  }
  const inSplits = parts.length > 0 && parts.every(({ rest }) => rest.length > 1 && isSplit(rest[0]));
  const placed = parts.map(({ path, rest }) => ({
    path,
    split: inSplits ? SPLITS[rest[0].toLowerCase()] : "train" as SplitName,
    folders: rest.slice(inSplits ? 1 : 0, -1),
  }));
  const bare = placed.find(({ folders }) => folders.length === 0);
  const filed = placed.find(({ folders }) => folders.length > 0);
  if (bare && filed) {
    throw new DatasetError(
      `holds pictures in folders (${shown(filed.path)}) and outside of them (${shown(bare.path)}): ` +
        "put each picture into the folder of its class, or all without folders",
      field,
    );
  }
  const classNames = bare ? [] : [...new Set(placed.map(({ folders }) => folders[0]))].toSorted();
  if (classNames.length > MOST_CLASSES) {
    throw new DatasetError(
      `has ${classNames.length} classes (folders), at most ${MOST_CLASSES} are taken`,
      field,
    );
  }
  const labels = new Map(classNames.map((name, label) => [name, label]));
  const pictures = placed.map(({ path, split, folders }) => ({
    path,
    split,
    label: folders.length === 0 ? null : labels.get(folders[0])!,
  }));
  if (pictures.length > 0 && !pictures.some(({ split }) => split === "train")) {
    throw new DatasetError("has pictures to measure on, but none to train on", field);
  }
  for (const [name, label] of labels) {
    if (!pictures.some((picture) => picture.label === label && picture.split === "train")) {
      throw new DatasetError(`has no training picture of the class ${shown(name)}`, field);
    }
  }
  return { pictures, classNames };
}
