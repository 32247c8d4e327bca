/**
 * Names of folders that denote a split of a data set: `train`, `val`, `test` and their variants.
 *
 * @module
 */
import type { SplitName } from "../dataset.ts";

/** Words for a split, as torchvision, Keras, Hugging Face, Roboflow and Kaggle's data sets use them. */
const WORDS: Readonly<Record<SplitName, readonly string[]>> = {
  train: ["train", "training", "trn"],
  test: [
    ...["test", "testing", "tst"],
    ...["val", "valid", "validation", "validate", "validating", "dev", "development"],
    ...["eval", "evaluation", "evaluate", "holdout", "hold_out", "heldout", "held_out"],
  ],
};

/** Words that may follow: `training_set`, `test images`, `val-data`. */
const FILLERS =
  "set|data|dataset|datasets|imgs?|images?|pictures?|pics?|photos?|samples?|examples?|split|files?|folder";

// A number may come first, as in `01_train`, or last, as in `test1`.
const pattern = (split: SplitName) =>
  new RegExp(`^(\\d+_?)?(${WORDS[split].join("|")})(_?(${FILLERS}))*(_?\\d+)?$`);
const PATTERNS: readonly (readonly [SplitName, RegExp])[] = [["train", pattern("train")], [
  "test",
  pattern("test"),
]];

const PLAIN = new RegExp(`^(_?(${FILLERS}))+$`);

/** True for a name that means only "images", such as `images` or `img_files`. */
export function isGenericName(name: string): boolean {
  return PLAIN.test(normal(name));
}

/** Splits a name into words in lower case, joined by `_`: `trainSet` and `Train-Set` become `train_set`. */
function normal(name: string): string {
  return name.normalize("NFKC").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase().replace(/[\s._-]+/g, "_")
    .replace(/^_|_$/g, "");
}

/** The split that a folder's name denotes by itself; null for any other name. */
export function splitOf(name: string): SplitName | null {
  // The name is tried as it is written, and with its capitals as word boundaries: `TRAIN`, `trainSet`.
  const forms = [normal(name), normal(name.toLowerCase())];
  for (const [split, pattern] of PATTERNS) if (forms.some((form) => pattern.test(form))) return split;
  return null;
}

/** A name with one word that denotes a split: `seg_train`, `validation-horses`. */
interface Affixed {
  readonly split: SplitName;
  /** The other words. */
  readonly rest: string;
}

function affixed(name: string): Affixed | null {
  const words = normal(name).split("_");
  for (let count = words.length - 1; count > 0; count--) {
    const [before, after] = [words.slice(0, -count).join("_"), words.slice(-count).join("_")];
    const last = splitOf(after), first = splitOf(before);
    if (last !== null) return { split: last, rest: before };
    if (first !== null) return { split: first, rest: after };
  }
  return null;
}

/** The splits among neighbouring folders. */
export interface SplitFolders {
  /** Folders that are splits. */
  readonly splits: ReadonlyMap<string, SplitName>;
  /** Folders of several families: `cats_train`, `cats_test`, `dogs_train`, `dogs_test`. Else empty. */
  readonly families: readonly string[];
}

/**
 * Finds the splits among the names of neighbouring folders. A name with a further word is a split only if the same word
 * occurs with another split too: `seg_train` and `seg_test`, but not `bullet_train`.
 */
export function splitFolders(names: Iterable<string>): SplitFolders {
  const splits = new Map<string, SplitName>();
  const families = new Map<string, Map<string, SplitName>>();
  for (const name of names) {
    const own = splitOf(name);
    if (own !== null) {
      splits.set(name, own);
      continue;
    }
    const part = affixed(name);
    if (part === null) continue;
    if (!families.has(part.rest)) families.set(part.rest, new Map());
    families.get(part.rest)!.set(name, part.split);
  }
  const whole = [...families].filter(([, members]) => new Set(members.values()).size > 1);
  if (whole.length === 1) { for (const [name, split] of whole[0][1]) splits.set(name, split); }
  return { splits, families: whole.length > 1 ? whole.flatMap(([, members]) => [...members.keys()]) : [] };
}

/**
 * True when some names contain a word for training and others a word for testing, even if they are not recognised as
 * splits: `train-clean-100` and `test-other`.
 */
export function resembleSplits(names: Iterable<string>): boolean {
  const hints = new Set([...names].map((name) => splitOf(name) ?? affixed(name)?.split));
  return hints.has("train") && hints.has("test");
}
