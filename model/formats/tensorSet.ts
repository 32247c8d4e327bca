/**
 * The stored tensors of an import under the names of a format, whatever their names in the file.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { StoredTensor } from "./format.ts";

/** A stored tensor, and its name in the file. */
export interface NamedTensor extends StoredTensor {
  readonly source: string;
}

/** Tensors by the name that a format has for them. */
export type TensorSet = ReadonlyMap<string, NamedTensor>;

/** Returns tensors under their names in the file. */
export function tensorSet(tensors: ReadonlyMap<string, StoredTensor>): TensorSet {
  return new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape, source: name }]));
}

/**
 * Returns tensors under other names.
 *
 * @throws {WeightsError} when two tensors get the same name
 */
export function rename(set: TensorSet, newName: (name: string) => string): TensorSet {
  const renamed = new Map<string, NamedTensor>();
  for (const [name, tensor] of set) {
    const target = newName(name), other = renamed.get(target);
    if (other) {
      throw new WeightsError(
        `Tensors '${other.source}' and '${tensor.source}' are the same one by two names: keep one of them`,
      );
    }
    renamed.set(target, tensor);
  }
  return renamed;
}

/** Returns the first part of all names, such as `module.`, or null when they differ or nothing would be left. */
export function commonPrefix(set: TensorSet): string | null {
  let prefix: string | null = null;
  for (const name of set.keys()) {
    const end = name.indexOf(".") + 1;
    if (end === 0 || end === name.length) return null;
    prefix ??= name.slice(0, end);
    if (!name.startsWith(prefix)) return null;
  }
  return prefix;
}

/** Returns the number of blocks: the numbers behind a prefix must be 0 to n - 1, which the check of names ensures. */
export function countBlocks(set: TensorSet, prefix: string): number {
  const indices = new Set<string>();
  for (const name of set.keys()) {
    if (!name.startsWith(prefix)) continue;
    const index = name.slice(prefix.length).split(".", 1)[0];
    if (/^\d{1,4}$/.test(index)) indices.add(index);
  }
  return indices.size;
}

/** Formats names for a message: the first three. */
export function nameList(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name.length > 200 ? name.slice(0, 200) + "…" : name}'`);
  return shown.join(", ") + (names.length > 3 ? ", …" : "");
}
