/**
 * How a data set is removed: an object marks the removal as long as anything is left, so that one that was cut off can
 * be found and finished.
 *
 * @module
 */
import type { ObjectStore } from "../objects/store.ts";
import { datasetKey } from "./stored.ts";

/** Name of the object that marks a removal which has begun. */
export const REMOVAL_MARK = "removed";

/** Removes a data set. A removal that was cut off is finished by the next call. */
export async function removeDataset(store: ObjectStore, id: string): Promise<void> {
  const mark = datasetKey(id, REMOVAL_MARK);
  // A full disk takes no mark, but a removal all the same.
  await store.put(mark, new Uint8Array()).catch(() => {});
  await removeObjects(store, id);
}

/** Whether a removal of the data set has begun and is not finished. */
export async function isBeingRemoved(store: ObjectStore, id: string): Promise<boolean> {
  return await store.head(datasetKey(id, REMOVAL_MARK)) !== null;
}

/** Removes every object of a data set: its description first, the mark of its removal last. */
export async function removeObjects(store: ObjectStore, id: string): Promise<void> {
  const mark = datasetKey(id, REMOVAL_MARK);
  await store.delete(datasetKey(id, "meta.json"));
  for await (const { key } of store.list(datasetKey(id, ""))) if (key !== mark) await store.delete(key);
  await store.delete(mark);
}
