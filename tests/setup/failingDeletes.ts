/**
 * Object storage with deletions that fail.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import { withOverrides } from "./overrides.ts";

/** Wraps a store so that the first `deletions` deletions succeed and all later ones throw `error`. */
export function failingDeletes(objects: ObjectStore, deletions: number, error: Error): ObjectStore {
  let left = deletions;
  return withOverrides(objects, {
    delete(key: string) {
      if (left-- > 0) return objects.delete(key);
      throw error;
    },
  });
}
