/**
 * Names of folders that denote a split: `train`, `val`, `test` and their variants.
 *
 * @module
 */
import type { SplitName } from "../dataset.ts";

/** Words for a split in the data sets of torchvision, Keras, Hugging Face, Roboflow and Kaggle. */
const SPLIT_WORDS: Readonly<Record<SplitName, readonly string[]>> = {
  train: ["train", "training", "trn"],
  test: [
    ...["test", "testing", "tst"],
    ...["val", "valid", "validation", "validate", "validating", "dev", "development"],
    ...["eval", "evaluation", "evaluate", "holdout", "hold_out", "heldout", "held_out"],
  ],
};

/** Words that may follow a split word: `training_set`, `test images`, `val-data`. */
const FILLERS =
  "set|data|dataset|datasets|imgs?|images?|pictures?|pics?|photos?|samples?|examples?|split|files?|folder";

// A number may come first, as in `01_train`, or last, as in `test1`.
const pattern = (split: SplitName) =>
  new RegExp(`^(\\d+_?)?(${SPLIT_WORDS[split].join("|")})(_?(${FILLERS}))*(_?\\d+)?$`);
const PATTERNS: readonly (readonly [SplitName, RegExp])[] = [
  ["train", pattern("train")],
  ["test", pattern("test")],
];

const GENERIC = new RegExp(`^(_?(${FILLERS}))+$`);

/** Whether a name only means "images", such as `images` or `img_files`. */
export function isGenericName(name: string): boolean {
  return GENERIC.test(toSnakeCase(name));
}

/** Converts a name to lower-case words joined by `_`: `trainSet` and `Train-Set` become `train_set`. */
function toSnakeCase(name: string): string {
  return name.normalize("NFKC").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase().replace(/[\s._-]+/g, "_")
    .replace(/^_|_$/g, "");
}

/** Returns the split that the name of a folder denotes; null for any other name. */
export function splitOfName(name: string): SplitName | null {
  // Capitals may be word boundaries, as in `trainSet`, or not, as in `TRAIN`.
  const forms = [toSnakeCase(name), toSnakeCase(name.toLowerCase())];
  for (const [split, pattern] of PATTERNS) if (forms.some((form) => pattern.test(form))) return split;
  return null;
}

/** A name of a split and other words: `seg_train`, `validation-horses`. */
interface QualifiedSplit {
  readonly split: SplitName;
  /** The other words. */
  readonly qualifier: string;
}

function parseQualified(name: string): QualifiedSplit | null {
  const words = toSnakeCase(name).split("_");
  for (let count = words.length - 1; count > 0; count--) {
    const [before, after] = [words.slice(0, -count).join("_"), words.slice(-count).join("_")];
    const last = splitOfName(after), first = splitOfName(before);
    if (last !== null) return { split: last, qualifier: before };
    if (first !== null) return { split: first, qualifier: after };
  }
  return null;
}

/** The splits among sibling folders. */
export interface SplitFolders {
  readonly splits: ReadonlyMap<string, SplitName>;
  /** Folders that are a class and a split: `cats_train`, `cats_test`, `dogs_train`, `dogs_test`. Usually empty. */
  readonly classSplits: readonly string[];
}

/**
 * Finds the splits among the names of sibling folders. A name with another word is a split only if the same word also
 * occurs with another split: `seg_train` and `seg_test`, but not `bullet_train`.
 */
export function findSplitFolders(names: Iterable<string>): SplitFolders {
  const splits = new Map<string, SplitName>();
  const byQualifier = new Map<string, Map<string, SplitName>>();
  for (const name of names) {
    const split = splitOfName(name);
    if (split !== null) {
      splits.set(name, split);
      continue;
    }
    const qualified = parseQualified(name);
    if (qualified === null) continue;
    const { qualifier } = qualified;
    if (!byQualifier.has(qualifier)) byQualifier.set(qualifier, new Map());
    byQualifier.get(qualifier)!.set(name, qualified.split);
  }
  const complete = [...byQualifier.values()].filter((folders) => new Set(folders.values()).size > 1);
  if (complete.length === 1) { for (const [name, split] of complete[0]) splits.set(name, split); }
  return {
    splits,
    classSplits: complete.length > 1 ? complete.flatMap((folders) => [...folders.keys()]) : [],
  };
}

/**
 * Whether some names contain a word for training and others a word for testing, even if they are not recognised as
 * splits: `train-clean-100` and `test-other`.
 */
export function mayBeSplits(names: Iterable<string>): boolean {
  const splits = new Set([...names].map((name) => splitOfName(name) ?? parseQualified(name)?.split));
  return splits.has("train") && splits.has("test");
}
