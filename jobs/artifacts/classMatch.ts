/**
 * Matches the classes of a data set to those of a classifier by name.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";

/** Maximum number of names in a message, and maximum length of each. */
const MAX_NAMES = 8, MAX_NAME_LENGTH = 60;

/** Lists class names for a message: the first eight, and the number of the others. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map((name) =>
    `'${name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name}'`
  );
  const more = names.length - shown.length;
  return shown.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/**
 * The classifier's label for each label of a data set, or the data set's class names that the classifier lacks.
 * `ambiguous` has the names that several classes of the classifier have, such as "crane" of ImageNet: their labels are
 * those of the first class. The class names of a data set are unique.
 */
export type ClassMatch =
  & { readonly ambiguous: readonly string[] }
  & (
    | { readonly labels: Uint16Array<ArrayBuffer>; readonly missing: null }
    | { readonly labels: null; readonly missing: readonly string[] }
  );

/**
 * Matches the classes of a data set to those of a classifier by name. Their order does not matter, and the data set
 * may have fewer. Names that differ only in their Unicode form (composed or decomposed) are the same.
 */
export function matchClasses(classifier: readonly string[], dataset: readonly string[]): ClassMatch {
  const exact = labelsByName(classifier);
  const normalized = labelsByName(classifier.map((name) => name.normalize("NFC")));
  const found = dataset.map((name) => exact.get(name) ?? normalized.get(name.normalize("NFC")));
  const repeated = new Set(classifier.filter((name, label) => exact.get(name) !== label));
  const ambiguous = dataset.filter((name) => repeated.has(name));
  const missing = dataset.filter((_, label) => found[label] === undefined);
  return missing.length > 0
    ? { labels: null, missing, ambiguous }
    : { labels: Uint16Array.from(found as number[]), missing: null, ambiguous };
}

/** Returns the label of each name, the first one if the name occurs twice. */
function labelsByName(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, label) => [name, label] as const).reverse());
}

/** Returns why a classifier cannot be measured on the classes of a data set, or null when it can. */
export function classesMessage(
  classifier: readonly string[],
  { missing, ambiguous }: ClassMatch,
): string | null {
  if (missing) return missingClassesMessage(classifier, missing);
  if (ambiguous.length === 0) return null;
  return `has classes whose names several classes of the classifier have: ${
    listNames(ambiguous)
  }; give each class ` +
    "of the classifier another name, with class_names when it is imported";
}

/** Returns a message with the classes of a data set that a classifier lacks, and those that it has. */
function missingClassesMessage(classifier: readonly string[], missing: readonly string[]): string {
  return `has classes that the classifier does not have: ${listNames(missing)}; ` +
    `the classifier's ${classifier.length} classes are ${listNames(classifier)}`;
}

/** Replaces the labels of a data set by those of a classifier. @param labels the new label for each old one */
export function relabel(set: ImageSet, labels: Uint16Array): ImageSet {
  return { ...set, labels: set.labels && set.labels.map((label) => labels[label]) };
}

/** Returns the names of the classes without an image in a set. */
export function emptyClasses(set: ImageSet, classNames: readonly string[]): string[] {
  const present = new Set(set.labels);
  return classNames.filter((_, label) => !present.has(label));
}
