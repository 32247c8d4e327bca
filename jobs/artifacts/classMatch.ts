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

/** The classifier's label for each label of a data set, or the data set's class names that the classifier lacks. */
export type ClassMatch =
  | { readonly labels: Uint16Array<ArrayBuffer>; readonly missing: null }
  | { readonly labels: null; readonly missing: readonly string[] };

/**
 * Matches the classes of a data set to those of a classifier by name. Their order does not matter, and the data set
 * may have fewer. Names that differ only in their Unicode form (composed or decomposed) are the same.
 */
export function matchClasses(classifier: readonly string[], dataset: readonly string[]): ClassMatch {
  const exact = labelsByName(classifier);
  const normalized = labelsByName(classifier.map((name) => name.normalize("NFC")));
  const found = dataset.map((name, label) =>
    classifier[label] === name ? label : exact.get(name) ?? normalized.get(name.normalize("NFC"))
  );
  const missing = dataset.filter((_, label) => found[label] === undefined);
  return missing.length > 0
    ? { labels: null, missing }
    : { labels: Uint16Array.from(found as number[]), missing: null };
}

/** Returns the label of each name, the first one if the name occurs twice. */
function labelsByName(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, label) => [name, label] as const).reverse());
}

/** Returns a message with the classes of a data set that a classifier lacks, and those that it has. */
export function missingClassesMessage(classifier: readonly string[], missing: readonly string[]): string {
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
