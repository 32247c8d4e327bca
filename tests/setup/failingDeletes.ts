/**
 * Object storage with deletions that fail.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";

/** Wraps a store so that the first `deletions` deletions succeed and all later ones throw `error`. */
export function failingDeletes(objects: ObjectStore, deletions: number, error: Error): ObjectStore {
  let left = deletions;
  return new Proxy(objects, {
    get(target, name) {
      if (name === "delete") {
        return (key: string) => {
          if (left-- > 0) return target.delete(key);
          throw error;
        };
      }
      const value = target[name as keyof ObjectStore];
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
}
