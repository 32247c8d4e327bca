/**
 * What the folders of an archive mean: which images are for training, which to measure on, and their classes.
 *
 * @module
 */
import { shown } from "./archive/names.ts";
import { DatasetError, type FolderRead, type SplitName } from "./dataset.ts";
import { type Filed, foldersOf, withoutCopies, withoutWrappers } from "./folders.ts";
import { splitFolders, splitOf } from "./splits.ts";
import { Turns } from "./turns.ts";

/** Most classes of a data set. */
export const MOST_CLASSES = 4096;

/** How the folders at the top of an archive may be read. */
export const FOLDER_READINGS = ["auto", "splits", "classes"] as const;

/** `auto` refuses what could be read in two ways. */
export type FolderReading = typeof FOLDER_READINGS[number];

/** An image of an archive. */
export interface ArchivedImage {
  readonly path: string;
  /** Equal for equal content. */
  readonly digest: string;
}

/** An image's place. */
export interface Placed {
  readonly path: string;
  readonly split: SplitName;
  /** Index into the class names; null when the images have no classes. */
  readonly label: number | null;
}

/** The whole archive's layout; `images` in the order of their paths. */
export interface Layout {
  readonly images: readonly Placed[];
  readonly classNames: readonly string[];
  /** What was read as what. */
  readonly folders: readonly FolderRead[];
  /** Images that were passed over, and why. */
  readonly passedOver: readonly { readonly path: string; readonly reason: "copy" | "outside_splits" }[];
  /** What a user must be told. */
  readonly notes: readonly string[];
}

/** Names of folders for a message. */
function listed(names: Iterable<string>): string {
  const all = [...names];
  return all.slice(0, 6).map(shown).join(", ") + (all.length > 6 ? ` and ${all.length - 6} more` : "");
}

/** Images in the split that their folder means. */
interface Divided {
  readonly parts: readonly {
    readonly folder: string;
    readonly split: SplitName;
    readonly files: readonly Filed[];
  }[];
  readonly outside: readonly Filed[];
}

function divided(files: readonly Filed[], wrapper: string, reading: FolderReading, field: string): Divided {
  const folders = foldersOf(files);
  const path = (name: string) => wrapper === "" ? name : `${wrapper}/${name}`;
  const { splits, families } = splitFolders(folders.keys());
  const one = { parts: [{ folder: wrapper || ".", split: "train" as const, files }], outside: [] };
  if (reading === "classes") return one;
  if (families.length > 0) {
    throw new DatasetError(
      `has folders that are a class and a split at once (${listed(families)}): make it train/CLASS/… and ` +
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
      ? `beside the folders ${listed(others.toSorted())}`
      : `and images outside of them (${shown(bare[0].path)})`;
    throw new DatasetError(
      `has the splits ${
        listed([...splits.keys()].toSorted())
      } ${beside}, which can be read in two ways: send ` +
        "folders=splits to use the splits and leave the rest out, or folders=classes to take each folder as a class",
      field,
    );
  }
  const parts = [...splits].map(([name, split]) => ({
    folder: path(name),
    split,
    files: withoutOwnName(name, folders.get(name)!),
  }));
  return { parts: levelled(parts), outside: [...bare, ...others.flatMap((name) => folders.get(name)!)] };
}

/** `training_set/training_set/cat` is `training_set/cat`: some archives name a split twice. */
function withoutOwnName(name: string, files: readonly Filed[]): readonly Filed[] {
  const inner = foldersOf(files);
  const [only] = inner.keys();
  const again = only !== undefined &&
    (only === name || splitOf(only) !== null && splitOf(only) === splitOf(name));
  if (inner.size !== 1 || !again || files.some(({ rest }) => rest.length === 1)) return files;
  return withoutOwnName(name, inner.get(only)!);
}

/** `train/images/cat` and `test/images/cat`: a folder that all splits have around all their classes means nothing. */
function levelled(parts: Divided["parts"]): Divided["parts"] {
  const first = parts[0].files[0].rest[0];
  const wrapped = splitOf(first) === null &&
    parts.every(({ files }) => files.every(({ rest }) => rest.length > 2 && rest[0] === first));
  if (!wrapped) return parts;
  return levelled(parts.map((part) => ({
    ...part,
    files: part.files.map((file) => ({ ...file, rest: file.rest.slice(1) })),
  })));
}

/** @throws {DatasetError} for a split inside of a class or of another split */
function checkInner({ parts }: Divided, field: string): void {
  for (const { files } of parts) {
    for (const { path, rest } of files) {
      const inner = rest.slice(0, -1).find((name) => splitOf(name) !== null);
      if (inner === undefined) continue;
      throw new DatasetError(
        `has the split ${shown(inner)} inside of another folder (${
          shown(path)
        }): put the splits at the top, as ` +
          "train/CLASS/… and test/CLASS/…, or send folders=classes to take every image below a folder as its class",
        field,
      );
    }
  }
}

/**
 * Reads folders as `torchvision.datasets.ImageFolder` does: `class/image`, or `train/class/image` and
 * `test/class/image`. Folders around everything are passed over, and so is a copy of the whole tree inside of itself;
 * images without a folder, or all in one, have no classes.
 *
 * @throws {DatasetError} naming the field, for folders that could be read in two ways, for images both with and without
 * a class, for a class that has no image to train on, and for too many classes
 */
export async function layoutOf(
  images: readonly ArchivedImage[],
  reading: FolderReading,
  field: string,
): Promise<Layout> {
  // Half a million images are a second of work: other requests get their turns between its steps.
  const turns = new Turns();
  const all: Filed[] = [];
  for (const { path, digest } of images.toSorted(byPath)) {
    all.push({ path, digest, rest: path.split("/") });
    if (all.length % 1024 === 0) await turns.take();
  }
  const { wrapper, files } = withoutWrappers(all, reading === "classes");
  await turns.take();
  const { kept, copies } = reading === "classes" ? { kept: files, copies: [] } : withoutCopies(files, field);
  await turns.take();
  const found = divided(kept, wrapper, reading, field);
  await turns.take();
  if (reading !== "classes") checkInner(found, field);
  await turns.take();
  const placed = found.parts.flatMap(({ split, files }) =>
    files.map(({ path, rest }) => ({ path, split, rest }))
  );
  await turns.take();
  const classNames = classesOf(placed, field);
  const labels = new Map(classNames.map((name, label) => [name, label]));
  await turns.take();
  const ordered = placed.map(({ path, split, rest }) => ({
    path,
    split,
    label: classNames.length === 0 ? null : labels.get(rest[0])!,
  }));
  await turns.take();
  if (found.parts.length > 1) ordered.sort(byPath);
  const passedOver = [
    ...copies.map(({ path }) => ({ path, reason: "copy" as const })),
    ...found.outside.map(({ path }) => ({ path, reason: "outside_splits" as const })),
  ];
  const folders = found.parts.map(({ folder, split, files }) => ({ folder, split, count: files.length }));
  return {
    images: ordered,
    classNames,
    folders,
    passedOver,
    notes: notesOn(folders, classNames, wrapper),
  };
}

/** By UTF-16 code units. */
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
      `holds images in folders (${shown(filed.path)}) and outside of them (${shown(bare.path)}): ` +
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
  if (every.size > MOST_CLASSES) {
    throw new DatasetError(`has ${every.size} classes (folders), at most ${MOST_CLASSES} are taken`, field);
  }
  for (const name of every) {
    if (!trained.has(name)) {
      throw new DatasetError(`has no training image of the class ${shown(name)}`, field);
    }
  }
  return [...every].sort();
}

function notesOn(
  folders: readonly FolderRead[],
  classNames: readonly string[],
  wrapper: string,
): string[] {
  const notes: string[] = [];
  const test = folders.filter(({ split }) => split === "test").map(({ folder }) => folder);
  if (test.length > 1) notes.push(`The folders ${listed(test)} are one split together: test.`);
  if (classNames.length === 0 && wrapper !== "") {
    notes.push(`All images lie in the folder ${shown(wrapper)}: they have no classes.`);
  }
  if (classNames.length === 1) {
    notes.push(`There is one class alone, ${shown(classNames[0])}: a classifier needs two at least.`);
  }
  return notes;
}
