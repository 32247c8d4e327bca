/**
 * Object storage with deletions that fail.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";

/** A store that makes `deletions` deletions and throws `error` for every later one. */
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
